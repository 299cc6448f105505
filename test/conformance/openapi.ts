/** schemathesis: requests made up from the server's own OpenAPI document, right ones and wrong ones. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLUSTER_PATIENCE_S, PATIENCE_MS } from "../world/patience.ts";
import type { CheckResult } from "./results.ts";
import type { Served } from "./server.ts";

/** Requests for each operation and phase. */
const EXAMPLES = 100;
const TIMEOUT_MS = CLUSTER_PATIENCE_S * 1000;

export const runSchemathesis = async (python: string, served: Served, seed: number): Promise<CheckResult> => {
  const name = `schemathesis, ${EXAMPLES} examples, seed ${seed}`;
  const options = [
    "--max-examples",
    `${EXAMPLES}`,
    "--seed",
    `${seed}`,
    "--no-color",
    "--request-timeout",
    `${PATIENCE_MS / 1000}`,
  ];
  // No schema can say that a tensor has as many values as its shape says: what fits the schema may be refused.
  options.push("--exclude-checks", "positive_data_acceptance");
  const args = ["-m", "schemathesis.cli", "run", `http://${served.http}/openapi.json`, ...options];
  const folder = mkdtempSync(join(tmpdir(), "berth-schemathesis-"));
  const child = spawn(python, args, {
    // It leaves files of its own where it runs.
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    env: { ...process.env, no_proxy: "127.0.0.1" },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-6000);
    });
  }
  const code = await new Promise<number | string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
  rmSync(folder, { recursive: true, force: true });
  return {
    suite: "openapi",
    name,
    ok: code === 0,
    detail: code === 0 ? "" : `it ended with ${code}\n${output.trim()}`,
  };
};
