/** HTTP/2 (RFC 9113) without TLS, as a client: of pods, which Berth's router sends calls to. `client-calls.ts` has its calls. */
import type { Socket } from "node:net";
import { IDLE_FRAMES, LINGER_MS, MOST_UNSENT_BYTES } from "./bounds.ts";
import { type Calls, createCalls } from "./client-calls.ts";
import type { Call, CallEvents, CallFailure, Client, ClientOptions } from "./client-types.ts";
import { type Control, createControl } from "./control.ts";
import { listBytes } from "./field-rules.ts";
import { createHeaderEncoder, type HeaderEncoder, REPEATED_BY_CALLS } from "./header-encoder.ts";
import type { Header } from "./header-table.ts";
import { createIncoming, type Incoming } from "./incoming.ts";
import { CONNECTION_WINDOW, createIntake, STREAM_WINDOW } from "./intake.ts";
import { createOutbox, type Outbox } from "./outbox.ts";
import { PREFACE } from "./preface.ts";
import * as http2 from "./protocol.ts";
import { createRate } from "./rate.ts";
import { defaultPeerSettings, followSettings, type PeerSettings, writeSettings } from "./settings.ts";
import { createFrameWriter, type FrameWriter } from "./writer.ts";

type Phase =
  /** Calls wait for the connection. */
  | "connecting"
  | "open"
  /** The server takes no more calls here; those that it has begun with go on. */
  | "leaving"
  /** Nothing more is sent or read. */
  | "over";

type ClientState = {
  readonly socket: Socket;
  readonly options: ClientOptions;
  readonly writer: FrameWriter;
  readonly control: Control;
  readonly outbox: Outbox;
  readonly encoder: HeaderEncoder;
  readonly server: PeerSettings;
  readonly calls: Calls;
  readonly incoming: Incoming;
  /** A frame that moves nothing may come now; each call counts one. */
  readonly mayIdle: (now: number) => boolean;
  phase: Phase;
  /** Calls begin at the end of this turn. */
  scheduled: boolean;
  lingering: NodeJS.Timeout | undefined;
};

const PING = Buffer.from("alive...");
/** What a server makes of a header is for it to say; one that is longer than this no server takes, and it may end the connection. */
const MOST_HEADER_BYTES = 64 * 1024;

/** Speaks on a socket that is being connected; who has made it reads it, and gives what comes to `read`. */
export const createHttp2Client = (socket: Socket, options: ClientOptions): Client => {
  const state = createState(socket, options);
  const { calls, control } = state;
  socket.once("connect", () => onConnect(state));
  socket.on("drain", () => onDrain(state));
  socket.on("error", (error) => end(state, "broken", error.message));
  socket.once("end", () => end(state, "broken", "it has closed the connection"));
  socket.once("close", () => onClose(state));
  return {
    call: (headers, events) => call(state, headers, events),
    read: (chunk) => read(state, chunk),
    ping: () => control.ping(0, PING),
    calls: () => calls.size,
    isOpen: () => isOpen(state),
    isConnected: () => state.phase === "open" || state.phase === "leaving",
    close: (reason) => leave(state, http2.NO_ERROR, reason),
  };
};

const createState = (socket: Socket, options: ClientOptions): ClientState => {
  const { headLimits } = options;
  const writer = createFrameWriter(socket);
  const control = createControl(writer);
  const outbox = createOutbox(writer);
  const intake = createIntake(control);
  const encoder = createHeaderEncoder(REPEATED_BY_CALLS);
  const server = defaultPeerSettings();
  const onFault = (code: number, reason: string): false => fail(state, code, reason);
  const onIdle = (): boolean => idle(state);
  const calls = createCalls({
    ...{ control, outbox, intake, encoder, server, headLimits, fail: onFault, idle: onIdle, moved: options.moved },
    most: () => most(state),
    gone: () => onGone(state),
  });
  const incoming = createIncoming({
    ...{ client: "we", listBytes: headLimits.bytes, lastId: calls.lastId, window: intake.window },
    ...{ beginData: calls.beginData, onData: calls.onData, onHeaders: calls.onHeaders },
    ...{ onReset: calls.onReset, onWindowUpdate: calls.onWindowUpdate, fail: onFault, idle: onIdle },
    onSettings: (payload) => onSettings(state, payload),
    onGoAway: (last, code, text) => onGoAway(state, last, code, text),
    onPing: (isAnswer, payload) => onPing(state, isAnswer, payload),
    frameEnded: () => undefined,
  });
  const state: ClientState = {
    ...{ socket, options, writer, control, outbox, encoder, server, calls, incoming },
    mayIdle: createRate(IDLE_FRAMES),
    phase: "connecting",
    scheduled: false,
    lingering: undefined,
  };
  return state;
};

const isOver = ({ phase }: ClientState): boolean => phase === "over";

const isOpen = (state: ClientState): boolean => {
  const { calls, incoming, options, phase } = state;
  if (phase === "leaving" || phase === "over" || calls.isFull()) return false;
  return calls.size < (incoming.isSettled() ? most(state) : options.mostCalls);
};

/** Until it has said how many it takes, there is one: those that are too many would be refused, which they may be only once. */
const most = ({ incoming, server }: ClientState): number => (incoming.isSettled() ? server.concurrentStreams : 1);

const onConnect = (state: ClientState): void => {
  const { control, options, writer } = state;
  if (state.phase === "connecting") state.phase = "open";
  writer.push(PREFACE);
  writer.push(writeSettings({ push: false, window: STREAM_WINDOW, headerListBytes: options.headLimits.bytes }));
  control.windowUpdate(0, CONNECTION_WINDOW - http2.DEFAULT_WINDOW);
  begin(state);
};

const onDrain = ({ outbox, socket }: ClientState): void => {
  if (socket.isPaused()) socket.resume();
  outbox.resume();
};

const onClose = (state: ClientState): void => {
  end(state, "broken", "the connection was closed");
  clearTimeout(state.lingering);
  state.options.closed();
};

const call = (state: ClientState, headers: readonly Header[], events: CallEvents): Call | undefined => {
  if (listBytes(headers) > Math.min(MOST_HEADER_BYTES, state.server.headerListBytes)) return undefined;
  const added = state.calls.add(headers, events);
  schedule(state);
  return added;
};

/**
 * Calls begin when all that has come in this turn was read: a server that has said in it that it leaves is sent none, and those of
 * one turn go out together.
 */
const schedule = (state: ClientState): void => {
  if (state.scheduled || state.phase === "connecting") return;
  state.scheduled = true;
  setImmediate(begin, state);
};

const begin = (state: ClientState): void => {
  state.scheduled = false;
  if (state.phase === "open") state.calls.begin();
};

const read = (state: ClientState, chunk: Buffer): boolean => {
  const { calls, incoming, socket, writer } = state;
  if (isOver(state)) return true;
  incoming.read(chunk);
  const isTaken = calls.flush();
  if (!isOver(state) && writer.unsent() > MOST_UNSENT_BYTES) socket.pause();
  return isTaken;
};

const idle = (state: ClientState): boolean =>
  state.mayIdle(state.options.now()) || fail(state, http2.ENHANCE_YOUR_CALM, "too many frames that move nothing");

const onSettings = (state: ClientState, payload: Buffer): boolean => {
  const { calls, control, encoder, options, outbox, server } = state;
  const widenAll = (bytes: number): boolean => {
    options.settled(server.concurrentStreams);
    return calls.widenAll(bytes);
  };
  const fault = followSettings(payload, { settings: server, control, encoder, outbox, widenAll });
  if (fault !== undefined) return fail(state, fault.code, fault.reason);
  schedule(state);
  return idle(state);
};

const onPing = (state: ClientState, isAnswer: boolean, payload: Buffer): boolean => {
  if (isAnswer) state.options.ponged();
  else state.control.ping(http2.ACK, payload);
  return idle(state);
};

const onGoAway = (state: ClientState, last: number, code: number, text: string): boolean => {
  const { calls } = state;
  if (state.phase === "open") state.phase = "leaving";
  const why = text === "" ? "" : ` (${text.replace(/[^ -~]/g, "?")})`;
  const reason = code === http2.NO_ERROR ? "it takes no more calls" : `it has ended with code ${code}${why}`;
  calls.refuseAbove(last, reason);
  if (code !== http2.NO_ERROR) end(state, "broken", reason);
  else if (calls.size === 0) leave(state, http2.NO_ERROR, "");
  return !isOver(state) && idle(state);
};

/** A call is over. */
const onGone = (state: ClientState): void => {
  const { calls, options, phase } = state;
  if (phase === "over") return;
  if (calls.size > 0) schedule(state);
  else if (phase === "leaving") leave(state, http2.NO_ERROR, "");
  else options.idle();
};

/** It has broken a rule: the connection cannot go on. */
const fail = (state: ClientState, code: number, reason: string): false => {
  leave(state, code, `it does not keep to HTTP/2: ${reason}`);
  return false;
};

const leave = (state: ClientState, code: number, reason: string): void => {
  if (state.phase === "open" || state.phase === "leaving") state.control.goAway(0, code, reason);
  end(state, "broken", reason);
};

/** Nothing more is sent or read; what is under way fails. */
const end = (state: ClientState, kind: CallFailure["kind"], reason: string): void => {
  const { calls, phase, socket, writer } = state;
  if (phase === "over") return;
  state.phase = "over";
  writer.close();
  if (phase === "connecting") socket.destroy();
  else {
    socket.destroySoon();
    // whoever takes nothing any more does not take the last word either
    state.lingering = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }
  calls.failAll({ kind: phase === "connecting" ? "unreachable" : kind, reason });
};
