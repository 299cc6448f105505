import { Worker } from "node:worker_threads";
import { LIFELINE_FD } from "./link.ts";

// A thread of the shard that sleeps until the server's process is gone, however it ended, and then ends the shard, though its
// model may be in a run without end: the main thread, which is in native code then, notices nothing. JavaScript in a string,
// because a thread that loads TypeScript takes 12 MB more, in each shard.
const SOURCE = `
  const { rmSync } = require("node:fs");
  const { Socket } = require("node:net");
  const { parentPort } = require("node:worker_threads");
  let directory;
  parentPort.on("message", (message) => { directory = message; });
  const end = () => {
    try {
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    } finally {
      process.kill(process.pid, "SIGKILL");
    }
  };
  new Socket({ fd: ${LIFELINE_FD} }).on("error", () => undefined).on("close", end).resume();
`;

/** Ends this process with the one that started it, and then first removes what `removeAtEnd` was given last. */
export const startLifeline = (): { removeAtEnd(directory: string): void } => {
  const thread = new Worker(SOURCE, { eval: true });
  thread.unref();
  return { removeAtEnd: (directory) => thread.postMessage(directory) };
};
