/** What comes of an answer, and how it is told. */
import { type CallsState, isOpen, type OpenCall, refuse, remove, reset } from "./call-state.ts";
import type { Header } from "./header-table.ts";
import { enqueue } from "./outbox.ts";
import * as http2 from "./protocol.ts";
import { readResponseHead, withoutBlanks } from "./response-head.ts";

/** The header of an answer has come, or that of an interim one. Whether the connection goes on. */
export const onHead = (
  state: CallsState,
  id: number,
  call: OpenCall,
  headers: readonly Header[],
  ended: boolean,
): boolean => {
  const { headLimits, idle } = state.host;
  const head = readResponseHead(withoutBlanks(headers), headLimits.fields);
  if (typeof head === "string") return refuse(state, id, call, http2.PROTOCOL_ERROR, head);
  if (head.status < 200) {
    // an interim answer: the client has its own from us
    return ended ? refuse(state, id, call, http2.PROTOCOL_ERROR, "an interim answer is its last") : idle();
  }
  call.status = head.status;
  call.expected = head.contentLength;
  if (call.events !== undefined) state.touched.add(call.events);
  call.events?.head(head.status, head.headers, ended);
  return !ended || state.open.get(id) !== call || finish(state, id, call, []);
};

/** A part of its body has come. */
export const onBody = (state: CallsState, call: OpenCall, bytes: Buffer): void => {
  call.received += bytes.length;
  state.host.moved();
  if (isPaused(call)) enqueue(call.held, bytes, true);
  else if (call.events !== undefined) {
    state.touched.add(call.events);
    call.events.data(bytes);
  }
};

/** The answer is whole. */
export const finish = (state: CallsState, id: number, call: OpenCall, trailers: readonly Header[]): boolean => {
  const hasBody = !call.isHead && call.status !== 204 && call.status !== 304;
  if (hasBody && call.expected !== undefined && call.expected !== call.received)
    return refuse(state, id, call, http2.PROTOCOL_ERROR, "its answer is not as long as its content-length says");
  // the rest of the request is for nobody, and would keep the stream open for as long as its client stays
  if (!call.sent) reset(state, id, http2.CANCEL);
  else remove(state, call);
  if (isPaused(call)) call.heldEnd = trailers;
  else tellEnd(state, call, trailers);
  return true;
};

const isPaused = ({ delivering, held, inflow }: OpenCall): boolean => inflow.paused || held.queued > 0 || delivering;

const tellEnd = (state: CallsState, call: OpenCall, trailers: readonly Header[]): void => {
  const { events } = call;
  call.events = undefined;
  if (events === undefined) return;
  events.end(trailers);
  state.touched.add(events);
};

/** Tells what has come while it was paused, until it is paused again. */
export const deliver = (state: CallsState, call: OpenCall): void => {
  call.delivering = false;
  while (call.held.queued > 0 && !call.inflow.paused) {
    const piece = call.held.queue.shift();
    if (piece === undefined) break;
    call.held.queued -= piece.length;
    call.events?.data(piece);
  }
  if (call.inflow.paused || call.events === undefined) return;
  const { events, heldEnd, out } = call;
  if (heldEnd !== undefined) {
    call.events = undefined;
    events.end(heldEnd);
  } else if (out !== undefined && isOpen(state, call, out)) state.host.intake.giveBackOf(out.id, call.inflow);
  events.flush();
};
