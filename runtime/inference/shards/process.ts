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

/** Starts a shard, which waits until it is told what to load. A run that takes longer than `requestTimeoutMs` ends it. */
export const startShardProcess = (requestTimeoutMs: number, events: ShardProcessEvents, after: After): ShardProcess => {
  // Two pipes besides the usual streams: the link, and the lifeline that breaks when this process ends.
  const child = spawn(process.execPath, ["--expose-gc", fileURLToPath(new URL("./shard.ts", import.meta.url))], {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
    stdio: ["ignore", "inherit", "inherit", "pipe", "pipe"],
  });
  const link = socketOf(child, LINK_FD);
  let codec: { encode: ReturnType<typeof jobEncoder>; decode: ReturnType<typeof answerDecoder> } | undefined;
  let running: Running | undefined;
  let reason: string | undefined;
  let timedOut = false;
  let ended: ProcessEnd | undefined;

  const kill = (why: string, how: ShardLost["how"] = "crash"): void => {
    reason ??= why;
    timedOut ||= how === "timeout";
    child.kill("SIGKILL");
    const lost = running;
    running = undefined;
    lost?.reject(new ShardLost(how, why));
  };
  const end = (how: string, signal: string | null): void => {
    if (ended !== undefined) return;
    ended = reason === undefined ? { how, signal, timedOut } : { how: reason, signal: null, timedOut };
    timer.close();
    const killed = ended.signal === "SIGKILL";
    running?.reject(new ShardLost("crash", `the process that ran the model is gone: ${ended.how}`, killed));
    running = undefined;
    events.onEnd(ended);
  };
  // One for all runs: to set it again costs less than a new one.
  const timer = after(requestTimeoutMs, () => {
    if (running !== undefined)
      kill(`a run took longer than --request-timeout (${requestTimeoutMs / 1000} s)`, "timeout");
  });

  const onControl = (frame: Uint8Array): void => {
    const message = shardMessageSchema.parse(decodeControl(frame));
    if (message.type === "loaded") codec = { encode: jobEncoder(message), decode: answerDecoder(message) };
    events.onMessage(message);
  };
  const onFrame = (frame: Uint8Array): void => {
    if (reason !== undefined) return;
    if (running === undefined || codec === undefined) {
      onControl(frame);
      return;
    }
    const { outputs, resolve, reject } = running;
    const answer = codec.decode(frame, outputs);
    running = undefined;
    if (answer instanceof InferenceError) reject(answer);
    else resolve(answer);
  };
  const read = frameReader(onFrame);
  link?.on("data", (piece: Uint8Array) => {
    try {
      read(piece);
    } catch (error) {
      kill(`it sent a malformed frame: ${error instanceof Error ? error.message.slice(0, 500) : String(error)}`);
    }
  });
  // "close" and not "exit": its last words have been read by then.
  child.on("close", (code, signal) =>
    end(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`, signal),
  );
  child.on("error", (error) => end(`it could not be started: ${error.message}`, null));
  // A stream says that the process is gone, which "close" tells.
  for (const stream of child.stdio) stream?.on("error", () => undefined);

  return {
    pid: child.pid,
    load: (message) => {
      link?.write(encodeControl(message));
    },
    run: (job) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined || reason !== undefined || link === undefined) {
          reject(new ShardLost("crash", `the process that ran the model is gone: ${ended?.how ?? reason}`));
          return;
        }
        if (codec === undefined || running !== undefined) {
          reject(new Error("a shard runs one job at a time, after it has loaded"));
          return;
        }
        // Throws where the job cannot be sent, which rejects.
        const pieces = codec.encode(job);
        running = { outputs: job.outputs, resolve, reject };
        timer.refresh();
        if (pieces.length === 1) link.write(pieces[0] ?? "");
        else {
          link.cork();
          for (const piece of pieces) link.write(piece);
          link.uncork();
        }
      }),
    kill,
  };
};

const socketOf = (child: ChildProcess, fd: number): Socket | undefined => {
  const stream = child.stdio[fd];
  return stream instanceof Socket ? stream : undefined;
};
