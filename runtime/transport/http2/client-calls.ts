/** The calls of one connection to a server: their bodies, their answers within flow control, and what waits to begin. */
import { finish, onBody, onHead } from "./call-answers.ts";
import { add, begin } from "./call-requests.ts";
import { type CallsState, createCallsState, fail, type Host, refuse, reset } from "./call-state.ts";
import type { Call, CallEvents, CallFailure } from "./client-types.ts";
import { areTrailers } from "./field-rules.ts";
import type { FrameHead } from "./frames.ts";
import type { Header } from "./header-table.ts";
import * as http2 from "./protocol.ts";
import { withoutBlanks } from "./response-head.ts";

const LAST_ID = 2 ** 31 - 1;

export type Calls = {
  /** Those that wait included. */
  readonly size: number;
  /** It waits until `begin`. */
  add(headers: readonly Header[], events: CallEvents): Call;
  /** Begins those that wait, as many as the server takes. */
  begin(): void;
  lastId(): number;
  /** No number is left for one more. */
  isFull(): boolean;
  onHeaders(id: number, headers: readonly Header[] | undefined, ended: boolean): boolean;
  beginData(frame: FrameHead): boolean;
  onData(frame: FrameHead, bytes: Buffer, last: boolean): boolean;
  onReset(id: number, code: number): boolean;
  onWindowUpdate(id: number, increment: number): boolean;
  /** The server has made the windows of all calls so much larger. False where one would be too large. */
  widenAll(bytes: number): boolean;
  /** Tells those of which something came since this was called last; whether nothing of it is needed any more. */
  flush(): boolean;
  /** The server has not begun with those above `id`, and will not; nor is one begun that waits. */
  refuseAbove(id: number, reason: string): void;
  failAll(failure: CallFailure): void;
};

export const createCalls = (host: Host): Calls => {
  const state = createCallsState(host);
  const { open, waiting } = state;
  return {
    get size() {
      return open.size + waiting.size;
    },
    add: (headers, events) => add(state, headers, events),
    begin: () => beginWaiting(state),
    lastId: () => state.lastId,
    isFull: () => state.lastId >= LAST_ID,
    onHeaders: (id, headers, ended) => onHeaders(state, id, headers, ended),
    beginData: (frame) => beginData(state, frame),
    onData: (frame, bytes, last) => onData(state, frame, bytes, last),
    onReset: (id, code) => onReset(state, id, code),
    onWindowUpdate: (id, increment) => onWindowUpdate(state, id, increment),
    widenAll: (bytes) => [...open.values()].every(({ out }) => out === undefined || host.outbox.widen(out, bytes)),
    flush: () => flush(state),
    refuseAbove: (id, reason) => refuseAbove(state, id, reason),
    failAll: (failure) => failAll(state, failure),
  };
};

const beginWaiting = (state: CallsState): void => {
  for (const call of state.waiting) {
    if (state.open.size >= state.host.most()) return;
    if (state.lastId < LAST_ID) begin(state, call);
    else fail(state, call, { kind: "unseen", reason: "the connection has no number left for it" });
  }
};

const onHeaders = (state: CallsState, id: number, headers: readonly Header[] | undefined, ended: boolean): boolean => {
  const { headLimits, idle, moved } = state.host;
  const call = state.open.get(id);
  // it may not know yet that we have reset it, or says more than all
  if (call === undefined) return idle();
  moved();
  if (headers === undefined)
    return refuse(state, id, call, http2.ENHANCE_YOUR_CALM, "the header of its answer is too large");
  if (call.status === 0) return onHead(state, id, call, headers, ended);
  const trailers = withoutBlanks(headers);
  if (ended && areTrailers(trailers) && trailers.length <= headLimits.fields) return finish(state, id, call, trailers);
  return refuse(state, id, call, http2.PROTOCOL_ERROR, "what follows its body are no trailers");
};

const beginData = (state: CallsState, frame: FrameHead): boolean => {
  const { idle, intake } = state.host;
  const { flags, length, stream: id } = frame;
  intake.take(length);
  const call = state.open.get(id);
  if (call === undefined) return beginLateData(state, frame);
  if (call.status === 0)
    return refuse(state, id, call, http2.PROTOCOL_ERROR, "its answer has a body before its header");
  if (!intake.takeOf(call.inflow, length))
    return refuse(state, id, call, http2.FLOW_CONTROL_ERROR, "its answer is more than what it may send at once");
  return length > 0 || (flags & http2.END_STREAM) !== 0 || idle();
};

/** What was on its way when we reset its call is no fault of the server. */
const beginLateData = (state: CallsState, frame: FrameHead): boolean => {
  const wasOnItsWay = state.resetByUs.take(frame);
  if (wasOnItsWay === undefined) reset(state, frame.stream, http2.STREAM_CLOSED);
  return wasOnItsWay === true || state.host.idle();
};

const onData = (state: CallsState, { flags, stream: id }: FrameHead, bytes: Buffer, last: boolean): boolean => {
  const { intake } = state.host;
  const call = state.open.get(id);
  if (call !== undefined && bytes.length > 0) onBody(state, call, bytes);
  if (!last) return true;
  // what was taken with the frame is given back at its end
  intake.giveBack();
  if (call === undefined || state.open.get(id) !== call) return true;
  if ((flags & http2.END_STREAM) !== 0) return finish(state, id, call, []);
  intake.giveBackOf(id, call.inflow);
  return true;
};

const onReset = (state: CallsState, id: number, code: number): boolean => {
  const call = state.open.get(id);
  if (call === undefined) return state.resetByUs.forget(id) || state.host.idle();
  const kind = code === http2.REFUSED_STREAM && call.status === 0 ? "unseen" : "broken";
  fail(state, call, { kind, reason: `it has ended the call with code ${code}` });
  return true;
};

const onWindowUpdate = (state: CallsState, id: number, increment: number): boolean => {
  const { host } = state;
  const call = state.open.get(id);
  if (id !== 0 && call === undefined) return true;
  if (increment === 0) {
    if (call === undefined) return host.fail(http2.PROTOCOL_ERROR, "WINDOW_UPDATE by 0");
    return refuse(state, id, call, http2.PROTOCOL_ERROR, "WINDOW_UPDATE by 0");
  }
  if (!host.outbox.widen(call?.out, increment)) {
    if (call === undefined) return host.fail(http2.FLOW_CONTROL_ERROR, "a window above 2^31-1");
    return refuse(state, id, call, http2.FLOW_CONTROL_ERROR, "a window above 2^31-1");
  }
  if (id === 0) host.outbox.resume();
  return true;
};

const flush = (state: CallsState): boolean => {
  let isTaken = !state.isKept;
  state.isKept = false;
  const told = [...state.touched];
  state.touched.clear();
  for (const events of told) if (!events.flush()) isTaken = false;
  // one of them may have led others to leave
  return isTaken && !state.isKept;
};

const refuseAbove = (state: CallsState, id: number, reason: string): void => {
  for (const call of [...state.waiting]) fail(state, call, { kind: "unseen", reason });
  for (const [of, call] of [...state.open])
    if (of > id) fail(state, call, { kind: call.status === 0 ? "unseen" : "broken", reason });
};

const failAll = (state: CallsState, failure: CallFailure): void => {
  const unseen: CallFailure = failure.kind === "broken" ? { ...failure, kind: "unseen" } : failure;
  for (const call of [...state.waiting]) fail(state, call, unseen);
  for (const call of [...state.open.values()]) fail(state, call, failure);
};
