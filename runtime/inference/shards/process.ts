import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { After } from "../../event-loop/after.ts";
import { answerDecoder, decodeControl, encodeControl, jobEncoder } from "./frames.ts";
import { frameReader, LINK_FD } from "./link.ts";
import type { LoadMessage } from "./load-message.ts";
import { type ShardMessage, shardMessageSchema } from "./messages.ts";
import { InferenceError, type Job, type JobResult, ShardLost } from "./types.ts";

/** How a process ended, in words, and by which signal if it was no exit of its own. */
export type ProcessEnd = { how: string; signal: string | null; timedOut: boolean };

export type ShardProcess = {
  readonly pid: number | undefined;
  load(message: LoadMessage): void;
  /** One job at a time, after the shard was ready. Rejects as `Shard.run`. */
  run(job: Job): Promise<JobResult>;
  /** Ends it, and gives the reason that a running job and `onEnd` are told. */
  kill(reason: string): void;
};

export type ShardProcessEvents = {
  onMessage(message: ShardMessage): void;
  /** Once, and nothing after it. A job that was running has been rejected. */
  onEnd(end: ProcessEnd): void;
};

type Running = { outputs: readonly string[]; resolve(result: JobResult): void; reject(error: Error): void };

type State = {
  readonly child: ChildProcess;
  readonly link: Socket | undefined;
  readonly events: ShardProcessEvents;
  /** Once the shard has loaded the model. */
  codec: { encode: ReturnType<typeof jobEncoder>; decode: ReturnType<typeof answerDecoder> } | undefined;
  running: Running | undefined;
  /** Why it was killed. */
  reason: string | undefined;
  timedOut: boolean;
  ended: ProcessEnd | undefined;
  /** For each run. To set it again costs less than a new one. */
  readonly timer: ReturnType<After>;
};

/** Starts a shard, which waits until it is told what to load. A run that takes longer than `requestTimeoutMs` ends it. */
export const startShardProcess = (requestTimeoutMs: number, events: ShardProcessEvents, after: After): ShardProcess => {
  // Two pipes besides the usual streams: the link, and the lifeline that breaks when this process ends.
  const child = spawn(process.execPath, ["--expose-gc", fileURLToPath(new URL("./shard.ts", import.meta.url))], {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
    stdio: ["ignore", "inherit", "inherit", "pipe", "pipe"],
  });
  const state: State = {
    child,
    link: socketOf(child, LINK_FD),
    events,
    codec: undefined,
    running: undefined,
    reason: undefined,
    timedOut: false,
    ended: undefined,
    timer: after(requestTimeoutMs, () => {
      if (state.running === undefined) return;
      kill(state, `a run took longer than --request-timeout (${requestTimeoutMs / 1000} s)`, "timeout");
    }),
  };
  listen(state);
  return {
    pid: child.pid,
    load: (message) => {
      state.link?.write(encodeControl(message));
    },
    run: (job) => new Promise((resolve, reject) => run(state, job, resolve, reject)),
    kill: (reason) => kill(state, reason, "crash"),
  };
};

const listen = (state: State): void => {
  const { child, link } = state;
  const read = frameReader((frame) => onFrame(state, frame));
  link?.on("data", (piece: Uint8Array) => {
    try {
      read(piece);
    } catch (error) {
      const why = error instanceof Error ? error.message.slice(0, 500) : String(error);
      kill(state, `it sent a malformed frame: ${why}`, "crash");
    }
  });
  // "close" and not "exit": its last words have been read by then.
  child.on("close", (code, signal) =>
    end(state, signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`, signal),
  );
  child.on("error", (error) => end(state, `it could not be started: ${error.message}`, null));
  // A stream says that the process is gone, which "close" tells.
  for (const stream of child.stdio) stream?.on("error", () => undefined);
};

const onFrame = (state: State, frame: Uint8Array): void => {
  if (state.reason !== undefined) return;
  if (state.running === undefined || state.codec === undefined) {
    onControl(state, frame);
    return;
  }
  const { outputs, resolve, reject } = state.running;
  const answer = state.codec.decode(frame, outputs);
  state.running = undefined;
  if (answer instanceof InferenceError) reject(answer);
  else resolve(answer);
};

const onControl = (state: State, frame: Uint8Array): void => {
  const message = shardMessageSchema.parse(decodeControl(frame));
  if (message.type === "loaded") state.codec = { encode: jobEncoder(message), decode: answerDecoder(message) };
  state.events.onMessage(message);
};

const run = (state: State, job: Job, resolve: Running["resolve"], reject: Running["reject"]): void => {
  const { codec, ended, link, reason } = state;
  if (ended !== undefined || reason !== undefined || link === undefined) {
    reject(new ShardLost("crash", `the process that ran the model is gone: ${ended?.how ?? reason}`));
    return;
  }
  if (codec === undefined || state.running !== undefined) {
    reject(new Error("a shard runs one job at a time, after it has loaded"));
    return;
  }
  // Throws where the job cannot be sent, which rejects.
  const pieces = codec.encode(job);
  state.running = { outputs: job.outputs, resolve, reject };
  state.timer.refresh();
  if (pieces.length === 1) {
    link.write(pieces[0] ?? "");
    return;
  }
  link.cork();
  for (const piece of pieces) link.write(piece);
  link.uncork();
};

const kill = (state: State, why: string, how: ShardLost["how"]): void => {
  state.reason ??= why;
  state.timedOut ||= how === "timeout";
  state.child.kill("SIGKILL");
  const lost = state.running;
  state.running = undefined;
  lost?.reject(new ShardLost(how, why));
};

const end = (state: State, how: string, signal: string | null): void => {
  const { reason, timedOut } = state;
  if (state.ended !== undefined) return;
  state.ended = reason === undefined ? { how, signal, timedOut } : { how: reason, signal: null, timedOut };
  state.timer.close();
  const killed = state.ended.signal === "SIGKILL";
  const message = `the process that ran the model is gone: ${state.ended.how}`;
  state.running?.reject(new ShardLost("crash", message, killed));
  state.running = undefined;
  state.events.onEnd(state.ended);
};

const socketOf = (child: ChildProcess, fd: number): Socket | undefined => {
  const stream = child.stdio[fd];
  return stream instanceof Socket ? stream : undefined;
};
