import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { RequestError } from "../../errors/request-error.ts";
import { Refusal } from "./refusal.ts";
import type { HttpResponse } from "./types.ts";

/** Up to here a head and the parts of its body are copied into one buffer; more is cheaper to hand over as it is. */
const COPIED_BYTES = 64 * 1024;

/** An interim answer, which a client of HTTP/1.1 must understand (RFC 9110, 15.2). */
export const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** The answer to what went wrong; undefined where it is the server's own fault. */
export const errorResponse = (error: unknown): HttpResponse | undefined => {
  if (error instanceof Refusal) return jsonError(error.status, error.message, error.headers);
  if (!(error instanceof RequestError)) return undefined;
  const { retryAfterSeconds } = error;
  return jsonError(
    error.httpStatus,
    error.message,
    retryAfterSeconds === undefined ? {} : { "retry-after": String(Math.max(1, Math.ceil(retryAfterSeconds))) },
  );
};

export const jsonError = (status: number, message: string, headers: Record<string, string> = {}): HttpResponse => ({
  status,
  headers: { ...headers, "content-type": "application/json" },
  parts: [JSON.stringify({ error: message })],
});

export const byteLength = (parts: HttpResponse["parts"]): number => {
  let length = 0;
  for (const part of parts) length += typeof part === "string" ? Buffer.byteLength(part) : part.byteLength;
  return length;
};

/** `extra`: whole lines that are added to the head. Throws where a header would begin a new line. */
export const encodeHead = (response: HttpResponse, length: number, extra: string): string => {
  let head = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? "Unknown"}\r\ncontent-length: ${length}\r\n${extra}`;
  for (const name in response.headers) {
    const value = response.headers[name] ?? "";
    if (value.includes("\n") || value.includes("\r")) throw new Error(`the header ${name} has more than one line`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
};

/** Writes an answer at once: one system call, unless it is too large for the socket. Returns as `socket.write` does. */
export const writeAnswer = (socket: Socket, head: string, parts: HttpResponse["parts"], length: number): boolean => {
  let text = head;
  let strings = true;
  for (const part of parts) {
    if (typeof part === "string") text += part;
    else strings = false;
  }
  // Latin-1 is written without a look at each character; it is the same as long as all are ASCII.
  if (strings) return socket.write(text, text.length === head.length + length ? "latin1" : "utf8");
  if (length <= COPIED_BYTES) {
    const buffer = Buffer.allocUnsafe(head.length + length);
    let at = buffer.write(head, 0, "latin1");
    for (const part of parts) {
      if (typeof part === "string") at += buffer.write(part, at, "utf8");
      else {
        buffer.set(part, at);
        at += part.byteLength;
      }
    }
    return socket.write(buffer);
  }
  socket.cork();
  let flushed = socket.write(head, "latin1");
  for (const part of parts) flushed = socket.write(part);
  socket.uncork();
  return flushed;
};
