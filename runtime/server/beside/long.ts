import { BESIDE_MS, readingMs } from "./cost.ts";
import { AnswerBeside, type Beside } from "./index.ts";
import type { Done } from "./messages.ts";
import type { Turns } from "../../event-loop/turns.ts";
import type { Handle, HttpRequest, HttpResponse } from "../../transport/http/types.ts";

/** Requests that are read, and answers that are written, for longer than others should wait for. */
export type Long = {
  /** Handles a request: at once, in a turn of the event loop in which there is time for it, or beside. */
  handle(request: HttpRequest, handle: Handle): HttpResponse | Promise<HttpResponse>;
  /** Goes on where a handler has been told that its answer is to be written beside; undefined for any other error. */
  resume(request: HttpRequest, error: unknown): Promise<HttpResponse> | undefined;
};

/** What is shorter is done at once. */
const SHORT_BYTES = 16 * 1024;
const EMPTY = new Uint8Array();
/** Those that the handlers of paths that infer look at. */
const HEADERS = ["content-type", "inference-header-content-length"];

export const createLong = (beside: Pick<Beside, "ask">, turns: Turns): Long => {
  const ask = async (request: HttpRequest, done: Done | undefined): Promise<HttpResponse> => {
    const headers = Object.fromEntries(HEADERS.map((name) => [name, request.header(name)]));
    const { path, query, body } = request;
    const pending = beside.ask({ kind: "http", path, query, headers, body, done });
    request.body = EMPTY;
    request.onGone = pending.cancel;
    const response = await pending.answer;
    if (response.kind !== "http") throw new Error("a request over HTTP was answered for gRPC");
    const { status, headers: fields, parts } = response;
    return { status, headers: fields, parts };
  };
  return {
    handle(request, handle) {
      if (request.body.length < SHORT_BYTES || request.method !== "POST") return handle(request);
      const ms = readingMs(jsonBytesOf(request));
      if (ms > BESIDE_MS) return ask(request, undefined);
      const wait = turns.take(ms);
      return wait === undefined ? handle(request) : wait.then(() => handle(request));
    },
    resume: (request, error) => (error instanceof AnswerBeside ? ask(request, error.done) : undefined),
  };
};

/** Tensors in binary form are used as they are. */
const jsonBytesOf = ({ body, header }: HttpRequest): number => {
  const json = Number(header("inference-header-content-length") ?? body.length);
  return json >= 0 ? Math.min(json, body.length) : 0;
};
