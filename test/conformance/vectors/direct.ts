/** Asks onnxruntime itself, in a process that is started anew when a model has ended it. */
import { type ChildProcess, fork } from "node:child_process";
import type { Named } from "./read.ts";

/** `runs`: so often one session runs, and the last answer is told. */
export type Question = { file: string; inputs: Named; runs: number };
export type Answer =
  | { outputs: Named }
  | { notLoaded: string }
  /** The name of an input or output that no request can hold: no tensor, or of a type that is not served. */
  | { notTensors: string }
  | { notRun: string };

export const startDirect = () => {
  let child: ChildProcess | undefined;
  const start = (): ChildProcess =>
    fork(new URL("./direct-process.ts", import.meta.url), {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
  return {
    ask: (question: Question): Promise<Answer> => {
      child ??= start();
      const asked = child;
      return new Promise((resolve) => {
        const done = (answer: Answer): void => {
          asked.removeAllListeners();
          resolve(answer);
        };
        asked.once("message", (answer: Answer) => done(answer));
        asked.once("exit", (code, signal) => {
          child = undefined;
          done({ notRun: `onnxruntime ended with ${signal ?? code}` });
        });
        asked.send(question);
      });
    },
    stop: (): void => {
      child?.kill("SIGKILL");
    },
  };
};
export type Direct = ReturnType<typeof startDirect>;
