/** What the transports do with requests that take long: which go to the thread beside the door, and what they wait for. */
import { RequestError } from "../../errors/request-error.ts";
import type { Turns } from "../../event-loop/turns.ts";
import { crowdedOut, type Memory } from "../../memory/shares.ts";
import type { LongCalls, PendingAnswer, PendingTurn } from "../../transport/grpc/types.ts";
import type { Handle, HttpRequest, HttpResponse, Long } from "../../transport/http/types.ts";
import { messageMs } from "./calls.ts";
import { BESIDE_MS } from "./cost.ts";
import type { Beside } from "./index.ts";
import { AnswerBeside } from "./infer-beside.ts";
import type { Asked, Done, Response } from "./messages.ts";
import { readingMs } from "./reading.ts";

/** What is shorter is done at once: all else that is done for a request takes about as long as to read so little. */
const SHORT_BYTES = 512;
/** A call takes about as long whatever is in its message. */
const SHORT_MS = 0.1;
const EMPTY = new Uint8Array();
/** Those that the handlers of paths that infer look at. */
const HEADERS = ["content-type", "inference-header-content-length"];

/** @param plainNs for each byte of a tensor in binary form */
export const createLong = (
  beside: Pick<Beside, "ask">,
  turns: Turns,
  memory: Pick<Memory, "unread">,
  plainNs: number,
): Long => {
  const ask = async (request: HttpRequest, done: Done | undefined): Promise<HttpResponse> => {
    const headers = Object.fromEntries(HEADERS.map((name) => [name, request.header(name)]));
    const { path, query, body } = request;
    const pending = beside.ask({ kind: "http", path, query, headers, body, done }, request.forget);
    request.body = EMPTY;
    request.onGone = pending.cancel;
    const response = await pending.answer;
    if (response.kind !== "http") throw new Error("a request over HTTP was answered for gRPC");
    const { status, headers: fields, parts } = response;
    return { status, headers: fields, parts };
  };
  /** Handles it when its turn comes, unless the memory that it holds is needed before. */
  const handleIn = (turn: Promise<void>, request: HttpRequest, handle: Handle): Promise<HttpResponse> =>
    new Promise((resolve, reject) => {
      const waiting = unreadUntil(turn, memory, request.body.length, () => {
        request.body = EMPTY;
        request.forget?.();
      });
      request.onGone = () => {
        waiting.cancel();
        request.body = EMPTY;
        reject(gone());
      };
      waiting.turn
        .then(() => {
          request.onGone = undefined;
          resolve(handle(request));
        })
        .catch(reject);
    });
  return {
    handle(request, handle) {
      if (request.body.length < SHORT_BYTES || request.method !== "POST") return handle(request);
      const json = jsonOf(request);
      const ms = readingMs(json) + (request.body.length - json.length) * plainNs * 1e-6;
      if (ms > BESIDE_MS) return ask(request, undefined);
      const wait = turns.take(ms);
      return wait === undefined ? handle(request) : handleIn(wait, request, handle);
    },
    resume: (request, error) => (error instanceof AnswerBeside ? ask(request, error.done) : undefined),
  };
};

/** Tensors in binary form, behind it, are used as they are. */
const jsonOf = ({ body, header }: HttpRequest): Uint8Array => {
  const json = Number(header("inference-header-content-length") ?? body.length);
  return body.subarray(0, Math.max(json, 0));
};

const gone = (): RequestError => new RequestError("Cancelled", "the client closed the connection");

/** Resolves when the turn comes; rejects where the memory of what waits is needed before. Neither once it is cancelled. */
const unreadUntil = (
  turn: Promise<void>,
  memory: Pick<Memory, "unread">,
  bytes: number,
  forget: () => void,
): PendingTurn => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let over = false;
  const begun = memory.unread(bytes, () => {
    over = true;
    reject(crowdedOut());
    forget();
  });
  void turn.then(() => {
    if (over) return;
    begun();
    resolve();
  });
  const cancel = (): void => {
    over = true;
    begun();
  };
  return { turn: promise, cancel };
};

/** @param plainNs for each byte of a tensor that is used as it came */
export const createLongCalls = (
  beside: Pick<Beside, "ask">,
  turns: Turns,
  memory: Pick<Memory, "unread">,
  plainNs: number,
): LongCalls => {
  const ask = (asked: Extract<Asked, { kind: "grpc" }>, forget?: () => void): PendingAnswer => {
    const { answer, cancel } = beside.ask(asked, forget);
    return { answer: answer.then(messageOf), cancel };
  };
  return {
    ask(path, message, deadline, forget) {
      const ms = messageMs(path, message, plainNs);
      if (ms === undefined || ms <= SHORT_MS) return undefined;
      if (ms > BESIDE_MS) return ask({ kind: "grpc", path, message, deadline, done: undefined }, forget);
      const turn = turns.take(ms);
      return turn === undefined ? undefined : unreadUntil(turn, memory, message.length, forget);
    },
    resume: (path, message, deadline, error) =>
      error instanceof AnswerBeside ? ask({ kind: "grpc", path, message, deadline, done: error.done }) : undefined,
  };
};

const messageOf = (response: Response): Buffer => {
  if (response.kind !== "grpc") throw new Error("a call was answered for HTTP");
  const { buffer, byteOffset, length } = response.message;
  return Buffer.from(buffer, byteOffset, length);
};
