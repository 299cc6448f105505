/** The router under attack, in a process of its own: that it stands still, or dies, must show. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS, until } from "../../world/patience.ts";
import type { Setup, Told } from "./serve.ts";

export type Router = {
  port: number;
  /** What it says of itself, on its admin port. Rejects where it does not answer. */
  told(): Promise<Told>;
  /** Nothing is under way and nothing waits any more; what it says then. */
  idle(): Promise<Told>;
  stop(): Promise<void>;
};

const SERVE = fileURLToPath(new URL("./serve.ts", import.meta.url));

/** @param flags of Node's, such as --max-old-space-size=192 */
export const startRouter = async (setup: Setup, flags: readonly string[] = []): Promise<Router> => {
  const child = spawn(process.execPath, [...flags, SERVE, JSON.stringify(setup)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let isOver = false;
  void exited.then(() => {
    isOver = true;
  });
  const { port, adminPort } = await new Promise<{ port: number; adminPort: number }>((resolve, reject) => {
    createInterface(child.stdout).once("line", (line) => resolve(JSON.parse(line)));
    void exited.then((code) => reject(new Error(`the router ended with ${code}`)));
  });
  const told = (): Promise<Told> =>
    new Promise((resolve, reject) => {
      assert.ok(!isOver, "the router has ended");
      const asked = request({ port: adminPort, host: "127.0.0.1", agent: false, timeout: PATIENCE_MS }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
        });
        answer.on("end", () => resolve(JSON.parse(text)));
      });
      asked.on("timeout", () => asked.destroy(new Error("the router does not answer on its admin port")));
      asked.on("error", reject).end();
    });
  return {
    port,
    told,
    async idle() {
      let last = await told();
      const isIdle = async (): Promise<boolean> => {
        last = await told();
        return last.outstanding === 0 && last.streams === 0 && last.waiting === 0;
      };
      await until("an idle router", isIdle, () => last);
      return last;
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
};
