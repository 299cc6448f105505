import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { After } from "../../event-loop/after.ts";
import type { GraphFindings } from "../graph/findings.ts";
import { type Failed, type PrepareOrder, prepareAnswerSchema } from "./messages.ts";
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

/** Prepares a model for shards, in a process of its own. Exactly one of `onPrepared` and `onFailed` is called. */
export const prepare = (
  model: string,
  { share, intraOpThreads, timeoutMs, after }: PreparationOptions,
  events: PreparationEvents,
): Preparation => {
  let directory: string | undefined;
  let verified = false;
  let examined = false;
  let done = false;
  let checked: readonly KnownFile[] = [];
  const itself = (): Prepared => ({ file: model, optimized: false, files: checked });

  const child = fork(fileURLToPath(new URL("./prepare.ts", import.meta.url)), [model, String(intraOpThreads)], {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
    // options of this process, such as --input-type, are not for that one
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const dropCopy = (): void => {
    if (directory !== undefined) removeCopy(directory);
    directory = undefined;
  };
  const prepared = (what: Prepared, reason?: string): void => {
    if (done) return;
    done = true;
    timer.close();
    if (!what.optimized) dropCopy();
    events.onPrepared(what, reason && `the shards do not share the weights, each holds its own: ${reason}`);
  };
  const failed = (failure: Omit<Failed, "type">): void => {
    if (done) return;
    done = true;
    timer.close();
    dropCopy();
    events.onFailed(failure);
  };
  const order = (bytes: number): void => {
    const place = share ? copyDirectory(bytes) : undefined;
    directory = place !== undefined && "directory" in place ? place.directory : undefined;
    const answer: PrepareOrder = directory === undefined ? {} : { copyTo: directory };
    // a process that has ended meanwhile is told of by its end
    child.send(answer, () => undefined);
    if (directory === undefined)
      prepared(itself(), place !== undefined && "reason" in place ? place.reason : undefined);
  };
  const onGraph = (graph: GraphFindings): void => {
    if (!examined) events.onGraph(graph);
    examined = true;
  };
  const onGone = (how: string): void => {
    if (verified) {
      prepared(itself(), `the process that makes the copy was lost: ${how}`);
      onGraph({ findings: [], reason: `its graph could not be looked at: the process that does it was lost: ${how}` });
    } else failed({ message: `the check of the model's file did not end: ${how}` });
  };

  const timer = after(timeoutMs, () => {
    child.kill("SIGKILL");
    const step = verified ? "load" : "pass the check of its file";
    failed({ code: "ModelInvalid", message: `the model did not ${step} within ${timeoutMs / 1000} s` });
  });

  child.on("message", (raw) => {
    const answer = prepareAnswerSchema.parse(raw);
    switch (answer.type) {
      case "verified":
        verified = true;
        checked = answer.files;
        if (!done) order(answer.bytes);
        return;
      case "shared":
        prepared({ file: answer.file, optimized: true, files: answer.files });
        return;
      case "unshared":
        prepared(itself(), answer.reason);
        return;
      case "failed":
        failed(answer);
        return;
      case "graph":
        onGraph(answer.graph);
        return;
      case "digest":
        events.onDigest(answer.sha256);
    }
  });
  child.on("close", (code, signal) => onGone(signal === null ? `exit code ${code}` : signal));
  child.on("error", (error) => onGone(error.message));

  return {
    directory: () => directory,
    dropCopy() {
      dropCopy();
      return itself();
    },
    stop() {
      done = true;
      timer.close();
      child.removeAllListeners("message");
      child.kill("SIGKILL");
      dropCopy();
    },
  };
};
