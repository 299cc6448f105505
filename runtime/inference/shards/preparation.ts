import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { After } from "../../event-loop/after.ts";
import type { GraphFindings } from "../graph/findings.ts";
import { type Failed, type PrepareAnswer, type PrepareOrder, prepareAnswerSchema } from "./messages.ts";
import type { KnownFile } from "./same-files.ts";
import { copyDirectory, removeCopy } from "./shared-copy.ts";

/** `optimized`: it is the copy, and no longer the model's own file. `files`: what may be loaded, and nothing else. */
export type Prepared = { file: string; optimized: boolean; files: readonly KnownFile[] };

export type PreparationEvents = {
  /** The model was checked and may be loaded. `warning`: why the weights are not shared though they should be. */
  onPrepared(prepared: Prepared, warning: string | undefined): void;
  /** The model cannot be served. */
  onFailed(failed: Omit<Failed, "type">): void;
  /** What the graph says of batching. Once, unless the model cannot be served. */
  onGraph(graph: GraphFindings): void;
  /** Of the model's file, in hexadecimal; later, as it takes long for a large file. */
  onDigest(sha256: string): void;
};

/** `directory`: of the shared copy, while there is one. `dropCopy` removes it, and gives what is to be loaded instead. */
export type Preparation = { directory(): string | undefined; dropCopy(): Prepared; stop(): void };

/** `timeoutMs`: the check and the copy may take this long; the digest, for which nobody waits, may take longer. */
export type PreparationOptions = { share: boolean; intraOpThreads: number; timeoutMs: number; after: After };

type State = {
  readonly model: string;
  readonly share: boolean;
  readonly child: ChildProcess;
  readonly events: PreparationEvents;
  readonly timer: { close(): void };
  /** Of the shared copy, while there is one. */
  directory: string | undefined;
  /** What may be loaded; undefined until the file was checked. */
  checked: readonly KnownFile[] | undefined;
  isExamined: boolean;
  /** `onPrepared` or `onFailed` was called, or nobody waits for them. */
  isDone: boolean;
};

/** Prepares a model for shards, in a process of its own. Exactly one of `onPrepared` and `onFailed` is called. */
export const prepare = (
  model: string,
  { share, intraOpThreads, timeoutMs, after }: PreparationOptions,
  events: PreparationEvents,
): Preparation => {
  const child = fork(fileURLToPath(new URL("./prepare.ts", import.meta.url)), [model, String(intraOpThreads)], {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
    // options of this process, such as --input-type, are not for that one
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const state: State = {
    ...{ model, share, child, events },
    timer: after(timeoutMs, () => onTimeout(state, timeoutMs)),
    directory: undefined,
    checked: undefined,
    isExamined: false,
    isDone: false,
  };
  child.on("message", (raw) => onAnswer(state, prepareAnswerSchema.parse(raw)));
  child.on("close", (code, signal) => onGone(state, signal === null ? `exit code ${code}` : signal));
  child.on("error", (error) => onGone(state, error.message));
  return {
    directory: () => state.directory,
    dropCopy() {
      dropCopy(state);
      return itself(state);
    },
    stop() {
      state.isDone = true;
      state.timer.close();
      child.removeAllListeners("message");
      child.kill("SIGKILL");
      dropCopy(state);
    },
  };
};

const onAnswer = (state: State, answer: PrepareAnswer): void => {
  switch (answer.type) {
    case "verified":
      state.checked = answer.files;
      if (!state.isDone) order(state, answer.bytes);
      return;
    case "shared":
      prepared(state, { file: answer.file, optimized: true, files: answer.files });
      return;
    case "unshared":
      prepared(state, itself(state), answer.reason);
      return;
    case "failed":
      failed(state, answer);
      return;
    case "graph":
      onGraph(state, answer.graph);
      return;
    case "digest":
      state.events.onDigest(answer.sha256);
  }
};

const itself = ({ checked, model }: State): Prepared => ({ file: model, optimized: false, files: checked ?? [] });

const dropCopy = (state: State): void => {
  if (state.directory !== undefined) removeCopy(state.directory);
  state.directory = undefined;
};

const prepared = (state: State, what: Prepared, reason?: string): void => {
  if (state.isDone) return;
  state.isDone = true;
  state.timer.close();
  if (!what.optimized) dropCopy(state);
  state.events.onPrepared(what, reason && `the shards do not share the weights, each holds its own: ${reason}`);
};

const failed = (state: State, failure: Omit<Failed, "type">): void => {
  if (state.isDone) return;
  state.isDone = true;
  state.timer.close();
  dropCopy(state);
  state.events.onFailed(failure);
};

/** Tells the process whether to make a copy, of so many bytes, and where. */
const order = (state: State, bytes: number): void => {
  const place = state.share ? copyDirectory(bytes) : undefined;
  state.directory = place !== undefined && "directory" in place ? place.directory : undefined;
  const answer: PrepareOrder = state.directory === undefined ? {} : { copyTo: state.directory };
  // a process that has ended meanwhile is told of by its end
  state.child.send(answer, () => undefined);
  if (state.directory !== undefined) return;
  prepared(state, itself(state), place !== undefined && "reason" in place ? place.reason : undefined);
};

const onGraph = (state: State, graph: GraphFindings): void => {
  if (!state.isExamined) state.events.onGraph(graph);
  state.isExamined = true;
};

const onGone = (state: State, how: string): void => {
  if (state.checked === undefined) {
    failed(state, { message: `the check of the model's file did not end: ${how}` });
    return;
  }
  prepared(state, itself(state), `the process that makes the copy was lost: ${how}`);
  const reason = `its graph could not be looked at: the process that does it was lost: ${how}`;
  onGraph(state, { findings: [], reason });
};

const onTimeout = (state: State, timeoutMs: number): void => {
  state.child.kill("SIGKILL");
  const step = state.checked === undefined ? "pass the check of its file" : "load";
  failed(state, { code: "ModelInvalid", message: `the model did not ${step} within ${timeoutMs / 1000} s` });
};
