import { readFileSync } from "node:fs";
import { request } from "node:https";
import { certificate } from "./certificates.ts";
import { ClusterError } from "./errors.ts";
import { isInside } from "./networks.ts";
import { network, type Plan, paths } from "./plan.ts";

/** The little that bringing a cluster up asks of the API server, without a kubectl process for each question. */
export type Api = {
  /** The parsed answer, or undefined while there is none (not reachable, not found, not ready). */
  read: (path: string) => Promise<unknown>;
  /** Creates an object. One that exists already is left as it is. Rejects with the server's message. */
  create: (path: string, body: unknown) => Promise<void>;
};

/** A read is tried again; a create is not, and takes long where the machine is busy. */
const TIMEOUT_MS = 30_000;

export const apiOf = (plan: Plan): Api => {
  const admin = certificate(plan, "admin");
  const identity = {
    ca: readFileSync(certificate(plan, "ca").certificate),
    cert: readFileSync(admin.certificate),
    key: readFileSync(admin.key),
  };
  const call = (method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const { host, port } = apiAddress(plan);
      const headers = body === undefined ? {} : { "content-type": "application/json" };
      const sent = request({ method, path, host, port, headers, timeout: TIMEOUT_MS, ...identity }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
        response.on("error", reject);
      });
      sent.on("timeout", () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return {
    read: async (path) => {
      const answer = await call("GET", path).catch(() => undefined); // it does not serve yet, or any more
      if (answer?.status !== 200) return undefined;
      return answer.text.startsWith("{") ? (JSON.parse(answer.text) as unknown) : answer.text;
    },
    create: async (path, body) => {
      const { status, text } = await call("POST", path, body);
      if (status !== 201 && status !== 409) throw new ClusterError(`the API server refused ${path}: ${status} ${text}`);
    },
  };
};

/** Where the API server is for this very process: in the cluster's network, or behind a port of the host's loopback. */
const apiAddress = (plan: Plan): { host: string; port: number } =>
  isInside(plan)
    ? { host: "127.0.0.1", port: network.apiPort }
    : { host: "127.0.0.1", port: Number(exposedAddress(plan).split(":")[1]) };

/** "127.0.0.1:PORT" on the host, or an empty text while it is not known. */
export const exposedAddress = (plan: Plan): string => readFileSync(paths(plan).exposed, "utf8").trim();
