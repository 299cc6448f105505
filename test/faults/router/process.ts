/** A real `route` process, as a pod would run it, and the API server that tells it of its ModelDeployments and their pods. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer, type ServerResponse } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { REVISION_LABEL } from "../../../operator/api/v1alpha1/index.ts";
import { freePort } from "../../world/free-port.ts";

const MAIN = fileURLToPath(new URL("../../../runtime/main.ts", import.meta.url));
const NAMESPACE = "faults";
const MODELS = `/apis/berth.dev/v1alpha1/namespaces/${NAMESPACE}/modeldeployments`;
const SLICES = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`;
const line = z.looseObject({ msg: z.string(), adminPort: z.number().optional() });

type Place = { name: string; http: number; grpc: number };
type Model = { name: string; port: number; spec: object };

/** Lists what it has, and tells watches of what is set later. */
const startApiServer = async (models: readonly Model[]) => {
  let version = 1;
  const slices = new Map<string, { metadata: { name: string; resourceVersion: string } }>();
  const watches = new Set<ServerResponse>();
  const metadata = (name: string, labels: Record<string, string> = {}) => ({
    name,
    labels,
    resourceVersion: `${version}`,
  });
  const items = models.map(({ name, port, spec }) => ({
    ...{ metadata: metadata(name), spec },
    status: {
      observedGeneration: 1,
      traffic: { epoch: 1, port, routes: [{ revision: `${name}-a`, role: "stable", weight: 100, shadow: 0 }] },
    },
  }));
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://h");
    response.setHeader("content-type", "application/json");
    if (searchParams.get("watch") !== null) {
      response.flushHeaders();
      if (pathname === SLICES) {
        watches.add(response);
        for (const object of slices.values())
          if (Number(object.metadata.resourceVersion) > Number(searchParams.get("resourceVersion")))
            response.write(`${JSON.stringify({ type: "MODIFIED", object })}\n`);
      }
      response.once("close", () => watches.delete(response));
      return;
    }
    const found = pathname === MODELS ? items : [...slices.values()];
    response.end(JSON.stringify({ metadata: { resourceVersion: `${version}` }, items: found }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    /** One slice for each: pods on one machine differ in their ports. */
    setPods(model: string, pods: readonly Place[]): void {
      const revision = `${model}-a`;
      for (const [i, { grpc, http, name }] of pods.entries()) {
        version++;
        const slice = {
          metadata: metadata(`${revision}-${i}`, {
            [REVISION_LABEL]: revision,
            "kubernetes.io/service-name": revision,
          }),
          endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true }, targetRef: { name } }],
          ports: [
            { name: "http", port: http },
            { name: "grpc", port: grpc },
          ],
        };
        const type = slices.has(slice.metadata.name) ? "MODIFIED" : "ADDED";
        slices.set(slice.metadata.name, slice);
        for (const watch of watches) watch.write(`${JSON.stringify({ type, object: slice })}\n`);
      }
    },
    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
};

const reportSchema = z.object({
  models: z.record(
    z.string(),
    z.object({
      connections: z.number(),
      revisions: z.record(
        z.string(),
        z.object({ waiting: z.number(), pods: z.array(z.object({ name: z.string(), outstanding: z.number() })) }),
      ),
    }),
  ),
});

/**
 * Starts it; it is ended when the test is over.
 * @param specs of its ModelDeployments, by name
 * @param group the file of a cgroup that it is put into before it begins
 */
export const startRouterProcess = async (
  t: { after(end: () => Promise<void>): void },
  specs: Record<string, object>,
  options: { args?: readonly string[]; group?: string | undefined; limits?: readonly string[] } = {},
) => {
  const models: Model[] = [];
  for (const [name, spec] of Object.entries(specs)) models.push({ name, spec, port: await freePort() });
  const api = await startApiServer(models);
  const own = ["route", "--namespace", NAMESPACE, "--api-server", api.url, "--admin-port", "0", "--log-format", "json"];
  const { args = [], group, limits = [] } = options;
  const joined = group === undefined ? [] : ["sh", "-c", 'echo $$ > "$0" && exec "$@"', group];
  const limited = limits.length === 0 ? [] : ["prlimit", ...limits];
  const [program = "", ...rest] = [...joined, ...limited, process.execPath, MAIN, ...own, ...args];
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
    api.close();
  });
  const listening = new Set<string>();
  const adminPort = await new Promise<number>((resolve, reject) => {
    let admin: number | undefined;
    createInterface(child.stdout).on("line", (text) => {
      const entry = line.parse(JSON.parse(text));
      admin ??= entry.adminPort;
      const name = /^(\S+): listening on/.exec(entry.msg)?.[1];
      if (name !== undefined) listening.add(name);
      if (admin !== undefined && listening.size === models.length) resolve(admin);
    });
    void exited.then(() => reject(new Error(`the router ended with ${child.exitCode}: ${stderr}`)));
  });
  const admin = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${adminPort}${path}`);
  return {
    process: child,
    stderr: () => stderr,
    port: (model: string): number => models.find(({ name }) => name === model)?.port ?? assert.fail(model),
    setPods: api.setPods,
    metrics: async (): Promise<string> => (await admin("/metrics")).text(),
    /** Of one model: what is under way, and which pods it knows. */
    async status(model: string) {
      const { models: told } = reportSchema.parse(await (await admin("/statusz")).json());
      const { connections, revisions } = told[model] ?? assert.fail(model);
      const { pods, waiting } = revisions[`${model}-a`] ?? assert.fail(model);
      return { connections, waiting, outstanding: pods.reduce((sum, one) => sum + one.outstanding, 0), pods };
    },
  };
};
