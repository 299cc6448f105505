import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { errorFromStatus, errorWithoutAnswer, KubeError } from "./errors.ts";
import { parseJson } from "./json.ts";
import { createListReader } from "./list-reader.ts";
import { withoutManagedFields } from "./managed-fields.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { HttpRequest, Transport } from "./transport.ts";

export type Call = Pick<HttpRequest, "method" | "path" | "headers" | "body"> & {
  /** What is done to what, for messages: `get Lease berth/leader`. */
  operation: string;
  signal?: AbortSignal | undefined;
  /** Told each item of a list as it comes; the answer is the rest of it. */
  item?: (value: unknown) => void;
  /** The answer is parsed without `managedFields`. */
  isLean?: boolean | undefined;
};

export type RawClient = (call: Call) => Promise<unknown>;

/** The longest that we stay away within one call; asked for more, the call fails and its caller's backoff takes over. */
const RETRY_AFTER_LIMIT_MS = 10_000;

/**
 * One call, its answer parsed from JSON. Rejects with a `KubeError`. `timeoutMs` bounds each try, its body included;
 * a request that the server refused before acting on it, with a Retry-After, is sent `tries` times in all. Each try is one
 * request of `limit`.
 */
export const createRawClient =
  (
    transport: Transport,
    timeoutMs: number,
    tries: number,
    limit: RateLimit | undefined,
    purpose: HttpRequest["purpose"],
  ): RawClient =>
  async (call) => {
    for (let left = tries - 1; ; left--) {
      await limit?.take(call.signal);
      try {
        return await attempt(transport, call, timeoutMs, purpose);
      } catch (error) {
        const wait = error instanceof KubeError ? error.retryAfterMs : undefined;
        if (wait === undefined || wait > RETRY_AFTER_LIMIT_MS || left === 0) throw error;
        await sleep(wait, undefined, call.signal === undefined ? {} : { signal: call.signal }).catch(() => {
          throw error;
        });
      }
    }
  };

const attempt = async (
  transport: Transport,
  call: Call,
  timeoutMs: number,
  purpose: HttpRequest["purpose"],
): Promise<unknown> => {
  const { operation } = call;
  const deadline = startDeadline(timeoutMs, call.signal);
  try {
    const { method, path, headers = {} } = call;
    const response = await transport.send({
      method,
      path,
      headers,
      ...(call.body === undefined ? {} : { body: call.body }),
      purpose,
      signal: deadline.signal,
    });
    const { body, headers: answered, statusCode: status } = response;
    if (status < 400 && call.item !== undefined) return await readItems(body, call.item);
    const answer = await body.text();
    const text = call.isLean === true ? withoutManagedFields(answer) : answer;
    const value = parseJson(text);
    if (status >= 400) throw errorFromStatus(operation, status, value, retryAfter(answered["retry-after"]));
    if (value === undefined) throw errorWithoutAnswer(operation, "NotJson", `not JSON: ${text.slice(0, 200)}`);
    return value;
  } catch (error) {
    if (error instanceof KubeError) throw error;
    throw errorWithoutAnswer(operation, deadline.reason() ?? "Unreachable", deadline.signal.reason ?? error);
  } finally {
    deadline.stop();
  }
};

/** Of a list, before the event loop turns: milliseconds of work. The API server's answer comes in pieces of 64 KiB at most. */
const SLICE_BYTES = 128 * 1024;

const readItems = async (body: AsyncIterable<Buffer>, item: (value: unknown) => void): Promise<unknown> => {
  const reader = createListReader();
  let left = SLICE_BYTES;
  for await (const piece of body) {
    for (const value of reader.take(piece)) item(value);
    left -= piece.length;
    if (left > 0) continue;
    left = SLICE_BYTES;
    await turn();
  }
  return reader.rest();
};

/** Retry-After in milliseconds. The API server sends whole seconds, never a date. */
const retryAfter = (header: string | string[] | undefined): number | undefined =>
  typeof header === "string" && /^\d+$/.test(header) ? Number(header) * 1000 : undefined;

/** Runs something after so many milliseconds, unless it is cancelled before. */
export type After = (ms: number, run: () => void) => { cancel(): void };

const after: After = (ms, run) => {
  const timer = setTimeout(run, ms);
  return { cancel: () => clearTimeout(timer) };
};

/** An abort signal for one request: after `timeoutMs`, or with the caller's, which keeps no reference afterwards. */
export const startDeadline = (timeoutMs: number, caller?: AbortSignal, later: After = after) => {
  const controller = new AbortController();
  let reason: "Timeout" | "Aborted" | undefined;
  const end = (why: "Timeout" | "Aborted", error: Error) => {
    reason ??= why;
    controller.abort(error);
  };
  const onAbort = () => end("Aborted", new Error("aborted by the caller"));
  let timer: { cancel(): void } | undefined;
  const restart = (ms: number) => {
    timer?.cancel();
    timer = later(ms, () => end("Timeout", new Error(`no answer within ${ms / 1000} s`)));
  };
  restart(timeoutMs);
  if (caller?.aborted) onAbort();
  caller?.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    reason: () => reason,
    /** Starts the time over, as data arrives. */
    restart,
    stop() {
      timer?.cancel();
      caller?.removeEventListener("abort", onAbort);
    },
  };
};
