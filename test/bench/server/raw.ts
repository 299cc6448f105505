/** The limit: onnxruntime's session in a loop, in processes that do nothing else. This file is both sides of the pipe. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Input, Model } from "./models.ts";

export type Setup = { processes: number; threads: number; batch: number };
export type RawFigures = { rate: number; cpuPerThousand: number };

type Task = Setup & { file: string; inputs: readonly Input[]; seconds: number };
type Outcome = { items: number; seconds: number; cpu: number };

const TIMEOUT = 60_000; // ms a process, loading included

const isOutcome = (message: unknown): message is Outcome =>
  typeof message === "object" && message !== null && "items" in message;

/** Batch items a second of all the processes, and the CPU seconds that a thousand cost. */
export const measureRaw = async (model: Model, setup: Setup, seconds: number): Promise<RawFigures> => {
  const children = Array.from({ length: setup.processes }, () =>
    fork(import.meta.filename, ["child"], {
      serialization: "advanced",
      env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
      timeout: TIMEOUT,
    }),
  );
  try {
    const task: Task = { ...setup, file: model.file, inputs: model.inputs, seconds };
    await Promise.all(
      children.map((child) => {
        child.send(task);
        return messageOf(child);
      }),
    );
    // All are loaded and warm: now together.
    const outcomes = await Promise.all(
      children.map((child) => {
        child.send("go");
        return messageOf(child);
      }),
    );
    const told = outcomes.filter(isOutcome);
    const items = told.reduce((sum, outcome) => sum + outcome.items, 0);
    return {
      rate: told.reduce((sum, outcome) => sum + outcome.items / outcome.seconds, 0),
      cpuPerThousand: (told.reduce((sum, outcome) => sum + outcome.cpu, 0) / items) * 1000,
    };
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
};

const messageOf = (child: ReturnType<typeof fork>): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const ended = () => reject(new Error("onnxruntime's process ended before it was done"));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message);
    });
  });

const repeated = ({ datatype, shape, data }: Input, batch: number): Tensor => {
  const dims = [batch, ...shape.slice(1)];
  if (datatype === "FP32") {
    const all = new Float32Array(data.length * batch);
    for (let at = 0; at < batch; at++) all.set(data, at * data.length);
    return new Tensor("float32", all, dims);
  }
  const all = new BigInt64Array(data.length * batch);
  for (let at = 0; at < batch; at++) all.set(data, at * data.length);
  return new Tensor("int64", all, dims);
};

const child = async (send: (message: Outcome | "ready") => void): Promise<void> => {
  const [task]: Task[] = await once(process, "message");
  if (task === undefined) return;
  const session = await InferenceSession.create(task.file, {
    intraOpNumThreads: task.threads,
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
  const feeds = Object.fromEntries(task.inputs.map((input) => [input.name, repeated(input, task.batch)]));
  for (let run = 0; run < 5; run++) await session.run(feeds);
  const go = once(process, "message");
  send("ready");
  await go;
  const cpu = process.cpuUsage();
  const started = performance.now();
  const end = started + task.seconds * 1000;
  let runs = 0;
  while (performance.now() < end) {
    await session.run(feeds);
    runs++;
  }
  const { user, system } = process.cpuUsage(cpu);
  send({ items: runs * task.batch, seconds: (performance.now() - started) / 1000, cpu: (user + system) / 1e6 });
  process.disconnect?.();
};

if (process.argv[2] === "child" && process.send !== undefined) {
  const send = process.send.bind(process);
  await child((message) => send(message));
}
