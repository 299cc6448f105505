import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const LOOP = fileURLToPath(new URL("loop.ts", import.meta.url));

export type Loops = {
  pids: readonly number[];
  /** Those that have ended although nobody has stopped them. */
  ended(): number[];
  /** Resolves when every one is gone. */
  stop(): Promise<void>;
};

/** Starts `count` busy loops. They end with this process, however it ends: their standard input is a pipe from it. */
export const startLoops = (count: number): Loops => {
  const loops = Array.from({ length: count }, () =>
    spawn(process.execPath, [LOOP], { stdio: ["pipe", "ignore", "inherit"] }),
  );
  const gone = loops.map(
    (loop) =>
      new Promise<void>((resolve) => {
        loop.once("exit", () => resolve());
        loop.once("error", () => resolve());
      }),
  );
  // A loop that ends while its pipe is closed is what is wanted.
  for (const { stdin } of loops) stdin.on("error", () => undefined);
  return {
    pids: loops.map(pidOf),
    ended: () => loops.filter(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null).map(pidOf),
    async stop() {
      for (const loop of loops) loop.kill("SIGKILL");
      await Promise.all(gone);
    },
  };
};

const pidOf = ({ pid }: ChildProcess): number => {
  if (pid === undefined) throw new Error("a busy loop did not start");
  return pid;
};
