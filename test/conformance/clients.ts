/** Runs the clients in Python against servers of this checkout. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { ELEMENT_TYPES, type ElementType, identityModel, loopModel } from "../runtime/models.ts";
import { CLUSTER_PATIENCE_S, PATIENCE_MS } from "../world/patience.ts";
import type { CheckResult } from "./results.ts";
import { type Served, serve } from "./server.ts";

/** The scripts in clients/. */
const SCRIPTS = {
  "triton-http": "triton_http.py",
  "triton-grpc": "triton_grpc.py",
  "tensorflow-serving": "tfs.py",
  "reflection-health": "reflection_health.py",
};
export type Client = keyof typeof SCRIPTS;
export const CLIENTS = Object.keys(SCRIPTS) as Client[];

const line = z.object({ name: z.string(), ok: z.boolean(), detail: z.string() });
/** For one script: each ends by itself, within seconds. */
const TIMEOUT_MS = CLUSTER_PATIENCE_S * 1000;

/**
 * What the scripts speak to. types: input X of each type X comes back as X.out, any length; typed: without FP16, which only
 * bytes can hold. plain: x [n, 4] comes back, numbers: x [n]. loop: counts to n, which can take for ever.
 */
export const serveModels = async (): Promise<Record<"types" | "typed" | "plain" | "numbers" | "loop", Served>> => {
  const kinds = Object.keys(ELEMENT_TYPES) as ElementType[];
  const identity = (types: ElementType[]) =>
    identityModel(Object.fromEntries(types.map((type) => [type, { type, shape: ["n"] }])));
  const plain = identityModel({ x: { type: "FP32", shape: ["n", 4] } });
  const numbers = identityModel({ x: { type: "FP32", shape: ["n"] } });
  const slow = ["--request-timeout", "3s", "--shards", "1"];
  const halfless = kinds.filter((type) => type !== "FP16");
  // One after another: each takes all cores while it loads.
  return {
    types: await serve(identity(kinds), "types"),
    typed: await serve(identity(halfless), "typed"),
    plain: await serve(plain, "plain"),
    numbers: await serve(numbers, "numbers"),
    loop: await serve(loopModel(), "loop", slow),
  };
};

/** Runs one script; each of its checks is a result. */
export const runClient = async (
  python: string,
  client: Client,
  servers: Record<string, Served>,
  report: (result: CheckResult) => void,
): Promise<CheckResult[]> => {
  const script = join(import.meta.dirname, "clients", SCRIPTS[client]);
  const child = spawn(python, [script, JSON.stringify(servers)], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    // Nothing of the caller's may lead the clients elsewhere.
    env: {
      ...process.env,
      PYTHONDONTWRITEBYTECODE: "1",
      no_proxy: "127.0.0.1",
      GRPC_VERBOSITY: "NONE",
      BERTH_PATIENCE_SECONDS: `${PATIENCE_MS / 1000}`,
    },
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-1500);
  });
  const results: CheckResult[] = [];
  const add = (result: CheckResult): void => {
    results.push(result);
    report(result);
  };
  createInterface(child.stdout).on("line", (text) => {
    if (text.startsWith("{")) add({ suite: client, ...line.parse(JSON.parse(text)) });
  });
  const how = await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) =>
      resolve(code === 0 ? "" : `it ended with ${signal ?? code}: ${stderr.trim()}`),
    );
  });
  if (how !== "" || results.length === 0) add({ suite: client, name: "the script ends well", ok: false, detail: how });
  return results;
};
