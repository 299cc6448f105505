/** The calls of one connection to a server: their bodies, their answers within flow control, and what waits to begin. */
import type { HeadLimits } from "../http/request-rules.ts";
import type { Call, CallEvents, CallFailure } from "./client-types.ts";
import type { Control } from "./control.ts";
import { areTrailers } from "./field-rules.ts";
import type { FrameHead } from "./frames.ts";
import type { HeaderEncoder } from "./header-encoder.ts";
import type { Header } from "./header-table.ts";
import { type Inflow, type Intake, STREAM_WINDOW } from "./intake.ts";
import { emptyQueue, enqueue, type Outbox, type Outgoing, outgoingOf, type Queue } from "./outbox.ts";
import * as http2 from "./protocol.ts";
import { createResetByUs } from "./reset-by-us.ts";
import { readResponseHead, withoutBlanks } from "./response-head.ts";
import type { PeerSettings } from "./settings.ts";

/** From here on who writes a body is told to wait, in bytes. */
const MOST_QUEUED = 64 * 1024;

const LAST_ID = 2 ** 31 - 1;
const NOTHING = Buffer.alloc(0);

/** What calls ask of their connection. The functions that give a boolean say whether it goes on. */
export type Host = {
  control: Control;
  outbox: Outbox;
  intake: Intake;
  encoder: HeaderEncoder;
  server: PeerSettings;
  headLimits: HeadLimits;
  /** Calls that may be open now. */
  most(): number;
  /** Ends the connection: always false. */
  fail(code: number, reason: string): false;
  /** Counts a frame that moved nothing. */
  idle(): boolean;
  /** A part of an answer has come. */
  moved(): void;
  /** A call is over. */
  gone(): void;
};

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

type Open = {
  /** Undefined once it is told of nothing more. */
  events: CallEvents | undefined;
  headers: readonly Header[];
  isHead: boolean;
  /** Undefined until it is begun. */
  out: Outgoing | undefined;
  inflow: Inflow;
  /** Our side has ended. */
  sent: boolean;
  status: number;
  expected: number | undefined;
  received: number;
  /** What has come while it is paused, and that its end is among it. */
  held: Queue;
  heldEnd: readonly Header[] | undefined;
  delivering: boolean;
};

export const createCalls = (host: Host): Calls => {
  const { control, encoder, idle, intake, outbox, server } = host;
  const open = new Map<number, Open>();
  const waiting = new Set<Open>();
  const resetByUs = createResetByUs();
  /** Of which something has come. */
  const touched = new Set<CallEvents>();
  /** Somebody has left to whom something was told that may still be needed. */
  let isKept = false;
  let lastId = 0;

  /** Nothing more is sent or taken of it. */
  const remove = (call: Open): void => {
    const { out } = call;
    if (out === undefined ? !waiting.delete(call) : !open.delete(out.id)) return;
    if (out !== undefined) outbox.forget(out);
    host.gone();
  };
  const reset = (id: number, code: number): void => {
    const call = open.get(id);
    control.reset(id, code);
    resetByUs.add(id, call?.inflow.window ?? STREAM_WINDOW);
    if (call !== undefined) remove(call);
  };
  /** Nothing more is told of it. */
  const leave = (call: Open): CallEvents | undefined => {
    const { events } = call;
    call.events = undefined;
    call.held = emptyQueue();
    if (events !== undefined && touched.delete(events)) isKept = true;
    return events;
  };
  const fail = (call: Open, failure: CallFailure): void => {
    const events = leave(call);
    remove(call);
    events?.failed(failure);
  };
  /** For what the server does wrong with a call. */
  const refuse = (id: number, call: Open, code: number, reason: string): true => {
    reset(id, code);
    fail(call, { kind: "broken", reason });
    return true;
  };
  const isPaused = ({ delivering, held, inflow }: Open): boolean => inflow.paused || held.queued > 0 || delivering;

  const end = (call: Open, trailers: readonly Header[]): void => {
    const { events } = call;
    call.events = undefined;
    if (events === undefined) return;
    events.end(trailers);
    touched.add(events);
  };
  const tellData = ({ events }: Open, bytes: Buffer): void => {
    if (events === undefined) return;
    touched.add(events);
    events.data(bytes);
  };

  /** Tells what has come while it was paused, until it is paused again. */
  const deliver = (call: Open): void => {
    call.delivering = false;
    while (call.held.queued > 0 && !call.inflow.paused) {
      const piece = call.held.queue.shift() ?? NOTHING;
      call.held.queued -= piece.length;
      call.events?.data(piece);
    }
    if (call.inflow.paused || call.events === undefined) return;
    const { events, heldEnd, out } = call;
    if (heldEnd !== undefined) {
      call.events = undefined;
      events.end(heldEnd);
    } else if (out !== undefined && open.get(out.id) === call) intake.giveBackOf(out.id, call.inflow);
    events.flush();
  };

  const sideOf = (call: Open): Call => ({
    write(piece) {
      const { out, sent } = call;
      if (out === undefined || sent || open.get(out.id) !== call) return true;
      outbox.data(out, [piece]);
      return out.queued < MOST_QUEUED;
    },
    end() {
      const { out, sent } = call;
      if (out === undefined || sent || open.get(out.id) !== call || out.trailers !== undefined) return;
      outbox.trailers(out, () => NOTHING);
    },
    pause() {
      call.inflow.paused = true;
    },
    resume() {
      if (!call.inflow.paused) return;
      call.inflow.paused = false;
      if (call.delivering || call.events === undefined) return;
      // who resumes may be in the middle of something
      call.delivering = true;
      process.nextTick(deliver, call);
    },
    abort() {
      if (leave(call) === undefined) return;
      const { out } = call;
      if (out !== undefined && open.get(out.id) === call) reset(out.id, http2.CANCEL);
      else remove(call);
    },
  });

  const beginOne = (call: Open): void => {
    lastId += lastId === 0 ? 1 : 2;
    waiting.delete(call);
    const out = outgoingOf(lastId, server.initialWindow, () => call.events?.drained());
    out.ended = () => {
      call.sent = true;
    };
    call.out = out;
    open.set(lastId, call);
    outbox.headers(lastId, encoder.encode(call.headers), 0);
    call.headers = [];
    call.events?.begun();
  };

  /** The answer is whole. */
  const finish = (id: number, call: Open, trailers: readonly Header[]): boolean => {
    const hasBody = !call.isHead && call.status !== 204 && call.status !== 304;
    if (hasBody && call.expected !== undefined && call.expected !== call.received)
      return refuse(id, call, http2.PROTOCOL_ERROR, "its answer is not as long as its content-length says");
    // the rest of the request is for nobody, and would keep the stream open for as long as its client stays
    if (!call.sent) reset(id, http2.CANCEL);
    else remove(call);
    if (isPaused(call)) call.heldEnd = trailers;
    else end(call, trailers);
    return true;
  };

  const onHead = (id: number, call: Open, headers: readonly Header[], ended: boolean): boolean => {
    const head = readResponseHead(withoutBlanks(headers), host.headLimits.fields);
    if (typeof head === "string") return refuse(id, call, http2.PROTOCOL_ERROR, head);
    if (head.status < 200) {
      // an interim answer: the client has its own from us
      return ended ? refuse(id, call, http2.PROTOCOL_ERROR, "an interim answer is its last") : idle();
    }
    call.status = head.status;
    call.expected = head.contentLength;
    if (call.events !== undefined) touched.add(call.events);
    call.events?.head(head.status, head.headers, ended);
    return !ended || open.get(id) !== call || finish(id, call, []);
  };

  const beginLateData = (frame: FrameHead): boolean => {
    const wasOnItsWay = resetByUs.take(frame);
    if (wasOnItsWay === undefined) reset(frame.stream, http2.STREAM_CLOSED);
    return wasOnItsWay === true || idle();
  };

  return {
    get size() {
      return open.size + waiting.size;
    },
    add(headers, events) {
      const call: Open = {
        ...{ events, headers, isHead: headers.some(([name, value]) => name === ":method" && value === "HEAD") },
        ...{ out: undefined, inflow: intake.open(STREAM_WINDOW), sent: false, status: 0, expected: undefined },
        ...{ received: 0, held: emptyQueue(), heldEnd: undefined, delivering: false },
      };
      waiting.add(call);
      return sideOf(call);
    },
    begin() {
      for (const call of waiting) {
        if (open.size >= host.most()) return;
        if (lastId < LAST_ID) beginOne(call);
        else fail(call, { kind: "unseen", reason: "the connection has no number left for it" });
      }
    },
    lastId: () => lastId,
    isFull: () => lastId >= LAST_ID,
    onHeaders(id, headers, ended) {
      const call = open.get(id);
      // it may not know yet that we have reset it, or says more than all
      if (call === undefined) return idle();
      host.moved();
      if (headers === undefined)
        return refuse(id, call, http2.ENHANCE_YOUR_CALM, "the header of its answer is too large");
      if (call.status === 0) return onHead(id, call, headers, ended);
      const trailers = withoutBlanks(headers);
      if (ended && areTrailers(trailers) && trailers.length <= host.headLimits.fields)
        return finish(id, call, trailers);
      return refuse(id, call, http2.PROTOCOL_ERROR, "what follows its body are no trailers");
    },
    beginData(frame) {
      const { flags, length, stream: id } = frame;
      intake.take(length);
      const call = open.get(id);
      if (call === undefined) return beginLateData(frame);
      if (call.status === 0) return refuse(id, call, http2.PROTOCOL_ERROR, "its answer has a body before its header");
      if (!intake.takeOf(call.inflow, length))
        return refuse(id, call, http2.FLOW_CONTROL_ERROR, "its answer is more than what it may send at once");
      return length > 0 || (flags & http2.END_STREAM) !== 0 || idle();
    },
    onData({ flags, stream: id }, bytes, last) {
      const call = open.get(id);
      if (call !== undefined && bytes.length > 0) {
        call.received += bytes.length;
        host.moved();
        if (isPaused(call)) enqueue(call.held, bytes, true);
        else tellData(call, bytes);
      }
      if (!last) return true;
      // what was taken with the frame is given back at its end
      intake.giveBack();
      if (call === undefined || open.get(id) !== call) return true;
      if ((flags & http2.END_STREAM) !== 0) return finish(id, call, []);
      intake.giveBackOf(id, call.inflow);
      return true;
    },
    onReset(id, code) {
      const call = open.get(id);
      if (call === undefined) return resetByUs.forget(id) || idle();
      const kind = code === http2.REFUSED_STREAM && call.status === 0 ? "unseen" : "broken";
      fail(call, { kind, reason: `it has ended the call with code ${code}` });
      return true;
    },
    onWindowUpdate(id, increment) {
      const call = open.get(id);
      if (id !== 0 && call === undefined) return true;
      if (increment === 0) {
        if (call === undefined) return host.fail(http2.PROTOCOL_ERROR, "WINDOW_UPDATE by 0");
        return refuse(id, call, http2.PROTOCOL_ERROR, "WINDOW_UPDATE by 0");
      }
      if (!outbox.widen(call?.out, increment)) {
        if (call === undefined) return host.fail(http2.FLOW_CONTROL_ERROR, "a window above 2^31-1");
        return refuse(id, call, http2.FLOW_CONTROL_ERROR, "a window above 2^31-1");
      }
      if (id === 0) outbox.resume();
      return true;
    },
    widenAll: (bytes) => [...open.values()].every(({ out }) => out === undefined || outbox.widen(out, bytes)),
    flush() {
      let isTaken = !isKept;
      isKept = false;
      const told = [...touched];
      touched.clear();
      for (const events of told) if (!events.flush()) isTaken = false;
      // one of them may have led others to leave
      return isTaken && !isKept;
    },
    refuseAbove(id, reason) {
      for (const call of [...waiting]) fail(call, { kind: "unseen", reason });
      for (const [of, call] of [...open])
        if (of > id) fail(call, { kind: call.status === 0 ? "unseen" : "broken", reason });
    },
    failAll(failure) {
      const unseen: CallFailure = failure.kind === "broken" ? { ...failure, kind: "unseen" } : failure;
      for (const call of [...waiting]) fail(call, unseen);
      for (const call of [...open.values()]) fail(call, failure);
    },
  };
};
