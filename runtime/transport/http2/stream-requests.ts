/** How a request begins on its stream, and the side of it that answers. */
import type { Header } from "./header-table.ts";
import { outgoingOf } from "./outbox.ts";
import * as http2 from "./protocol.ts";
import { headerOf, type RefusedHead, type RequestHead, readRequestHead } from "./request-head.ts";
import {
  abandon,
  endRemote,
  giveBack,
  isOpen,
  type OpenStream,
  resetStream,
  type StreamsState,
} from "./stream-state.ts";
import type { Stream } from "./types.ts";

const EMPTY = Buffer.alloc(0);

/** The header of a request has come. Whether the connection goes on. */
export const openStream = (state: StreamsState, id: number, list: readonly Header[], ended: boolean): boolean => {
  const { host, lastServed, open } = state;
  state.lastId = id;
  if (id > lastServed || open.size >= host.maxConcurrentStreams) {
    resetStream(state, id, http2.REFUSED_STREAM);
    return host.idle();
  }
  const head = readRequestHead(list, host.headLimits.fields);
  return "error" in head ? refuse(state, id, list, head, ended) : begin(state, id, head, ended);
};

const begin = (state: StreamsState, id: number, head: RequestHead, ended: boolean): boolean => {
  const { client, encoder, firstWindow, intake, onRequest, outbox } = state.host;
  const stream: OpenStream = {
    handler: undefined,
    out: outgoingOf(id, client.initialWindow, () => stream.handler?.drained()),
    inflow: intake.open(firstWindow),
    remoteEnded: ended,
    expected: head.contentLength,
    received: 0,
  };
  stream.out.ended = () => onSent(state, stream);
  state.open.set(id, stream);
  if (head.expectContinue && !ended) outbox.headers(id, encoder.encode([[":status", "100"]]), 0);
  const handler = onRequest(head, answerSide(state, stream));
  if (!isOpen(state, stream)) {
    // it was answered at once
    handler.closed();
    return true;
  }
  stream.handler = handler;
  return !ended || endRemote(state, stream);
};

/** Answers what is no request, and ends its stream. What does not fit into the client's windows is left out. */
const refuse = (
  state: StreamsState,
  id: number,
  list: readonly Header[],
  { error, malformed, status }: RefusedHead,
  ended: boolean,
): boolean => {
  const { client, encoder, idle, outbox } = state.host;
  const body = Buffer.from(JSON.stringify({ error }));
  const out = outgoingOf(id, client.initialWindow, () => undefined);
  const fits = outbox.room(out) >= body.length && headerOf(list, ":method") !== "HEAD";
  const headers: Header[] = [[":status", String(status)]];
  if (fits) headers.push(["content-type", "application/json"], ["content-length", String(body.length)]);
  outbox.headers(id, encoder.encode(headers), fits ? 0 : http2.END_STREAM);
  if (fits) {
    outbox.data(out, [body]);
    outbox.trailers(out, () => EMPTY);
  }
  if (malformed || !ended) resetStream(state, id, malformed ? http2.PROTOCOL_ERROR : http2.NO_ERROR);
  return idle();
};

/** The answer is whole; where it came before the end of the request, the client need not send the rest. */
const onSent = (state: StreamsState, stream: OpenStream): void => {
  if (stream.remoteEnded) abandon(state, stream);
  else resetStream(state, stream.out.id, http2.NO_ERROR);
};

const answerSide = (state: StreamsState, stream: OpenStream): Stream => {
  const { encoder, flush, outbox } = state.host;
  const { inflow, out } = stream;
  return {
    headers: (headers, last) => {
      if (!isOpen(state, stream)) return;
      outbox.headers(out.id, encoder.encode(headers), last ? http2.END_STREAM : 0);
      if (last) onSent(state, stream);
    },
    write: (...pieces) => {
      state.moved = true;
      if (isOpen(state, stream)) outbox.data(out, pieces);
    },
    queued: () => out.queued,
    flush: () => flush() && out.queued === 0,
    room: () => outbox.room(out),
    end: (trailers) => {
      if (isOpen(state, stream)) outbox.trailers(out, () => encoder.encode(trailers));
    },
    reset: (code) => {
      if (isOpen(state, stream)) resetStream(state, out.id, code);
    },
    pause: () => {
      inflow.paused = true;
    },
    resume: () => {
      inflow.paused = false;
      if (isOpen(state, stream)) giveBack(state, stream);
    },
  };
};
