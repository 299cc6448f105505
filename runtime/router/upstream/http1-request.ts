/** A request to a pod over HTTP/1.1, as it goes out. */
import { writeAnswer } from "../../transport/http/response.ts";
import type { Body, Events, Message, Sent } from "../message.ts";
import { type ConnectionState, fail, isOver } from "./http1-state.ts";

/** A request that is smaller goes into an empty socket's buffer at once: where the kernel refuses it, nothing of it has left. */
const AT_ONCE_BYTES = 16 * 1024;

/** One that has been idle for longer, in ms, may have ended meanwhile: that it has may come with what is being dealt with now. */
const SURE_MS = 20;

export const send = (state: ConnectionState, message: Message, told: Events): Sent => {
  const { phase, socket } = state;
  const isSure = state.now() - state.sentAt < SURE_MS;
  state.reused = phase !== "connecting";
  state.heard = false;
  state.events = told;
  state.method = message.method;
  state.sentAt = state.now();
  state.unwritten = message;
  if (state.reused && isSure) begin(state);
  else if (state.reused) setImmediate(() => setImmediate(beginLater, state, told));
  return {
    pause: () => {
      if (state.events === told) socket.pause();
    },
    resume: () => {
      if (state.events === told) socket.resume();
    },
    abort: () => {
      if (state.events !== told) return;
      state.events = undefined;
      fail(state, "the client no longer waits for it");
    },
  };
};

/**
 * After two turns, since the first may have begun before: what the kernel had to tell was told, and where it was that the connection
 * had ended, the request has gone nowhere.
 */
const beginLater = (state: ConnectionState, told: Events): void => {
  if (state.events === told && !isOver(state)) begin(state);
};

/** Writes the request, now that there is a connection. */
export const begin = (state: ConnectionState): void => {
  const { events, unwritten: message } = state;
  state.unwritten = undefined;
  if (events === undefined || message === undefined) return;
  events.reached();
  const head = headOf(message);
  if (message.body.kind === "whole") sendWhole(state, message.body, head);
  else sendStream(state, message.body, head);
};

const sendWhole = (state: ConnectionState, { bytes, pieces }: Body & { kind: "whole" }, head: string): void => {
  state.atOnce = head.length + bytes <= AT_ONCE_BYTES;
  writeAnswer(state.socket, head, pieces, bytes);
};

const sendStream = (state: ConnectionState, { length, source }: Body & { kind: "stream" }, head: string): void => {
  const { events: mine, socket } = state;
  const isGone = (): boolean => isOver(state) || state.events !== mine;
  state.allSent = false;
  state.atOnce = false;
  socket.write(head, "latin1");
  state.resumeSource = () => source.resume();
  source.read(
    (piece) => {
      if (isGone()) return;
      if (length === undefined) socket.write(`${piece.length.toString(16)}\r\n`, "latin1");
      const flushed = socket.write(piece);
      if (length === undefined) socket.write("\r\n", "latin1");
      if (!flushed) source.pause();
    },
    () => {
      if (isGone()) return;
      state.allSent = true;
      state.resumeSource = undefined;
      if (length === undefined) socket.write("0\r\n\r\n", "latin1");
    },
  );
};

const headOf = ({ method, target, fields, body }: Message): string => {
  let head = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  if (body.kind === "stream" && body.length === undefined) return `${head}transfer-encoding: chunked\r\n\r\n`;
  const bytes = body.kind === "whole" ? body.bytes : (body.length ?? 0);
  return bytes > 0 || method === "POST" || method === "PUT" ? `${head}content-length: ${bytes}\r\n\r\n` : `${head}\r\n`;
};
