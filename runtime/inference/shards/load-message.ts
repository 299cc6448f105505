import type { ExecutionProvider } from "../../engine/execution-provider.ts";
import { Failure } from "../../errors/termination.ts";
import type { Failed } from "./messages.ts";
import type { KnownFile } from "./same-files.ts";

/** To a shard: what to load. It may be sent long after the process was started. */
export type LoadMessage = {
  file: string;
  executionProvider: ExecutionProvider;
  intraOpThreads: number;
  /** The file is the copy that `prepare` has optimised. */
  optimized: boolean;
  /** The file, and those that it keeps weights in: it loads them as they were when they were checked, or not at all. */
  files: readonly KnownFile[];
  givesBack: boolean;
  /** Outputs of one run that are larger together are refused. */
  maxAnswerBytes: number;
  /** A directory to remove when the server is gone. */
  copy?: string;
};

/**
 * Looks at no more than the form: the message is from the process that started this one. (A schema's library would add 40 ms
 * and 9 MB to each shard.)
 */
export const isLoadMessage = (message: unknown): message is LoadMessage =>
  typeof message === "object" && message !== null && "file" in message && "intraOpThreads" in message;

/** What a shard, or the process that prepares, tells of a failure that lasts. */
export const describeFailure = (error: unknown): Failed => {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Failure)) return { type: "failed", message };
  const { code } = error;
  return code === "ModelInvalid" || code === "ExecutionProviderUnavailable" || code === "WarmUpFailed"
    ? { type: "failed", code, message }
    : { type: "failed", message };
};
