/** One client's connection over HTTP/1.1, a request at a time. */
import type { Socket } from "node:net";
import { isBrisk, YOUNG_MS } from "../../memory/room.ts";
import { evicted } from "../../memory/shares.ts";
import {
  createConnectionState,
  expire,
  idleSince,
  lingerOn,
  PROBE_AGAIN_MS,
  probe,
} from "../../transport/http/connection-state.ts";
import { createInput } from "../../transport/http/input.ts";
import { CLIENT_LIMITS } from "../../transport/http/request-rules.ts";
import type { Gate } from "../../transport/pace.ts";
import { senderOf } from "../forwarded.ts";
import type { ClientConnection, Door } from "./door.ts";
import { advance, counted, finish, refuse, type Served } from "./http1-requests.ts";
import { createAmount, createReservation } from "./reservation.ts";

/** An idle connection may be just about to carry a request; one that has been idle for so long is closed when it must go. */
const LEAVING_IDLE_MS = 1000;

/** `expires`: after this, an answer closes it. */
export const serveHttp1 = (socket: Socket, gate: Gate, door: Door, expires: number): ClientConnection => {
  const served = createServed(socket, gate, door, expires);
  const { state } = served;
  socket.on("data", (chunk: Buffer) => onData(served, chunk));
  socket.on("drain", () => onDrain(served));
  socket.on("end", () => onEnd(served));
  socket.on("error", () => undefined);
  socket.once("close", () => onClose(served));
  return {
    sweep: (time) => sweep(served, time),
    idleSince: () => idleSince(state),
    leave: () => {
      served.isLeaving = true;
    },
    destroy: () => socket.destroy(),
  };
};

const createServed = (socket: Socket, gate: Gate, door: Door, expires: number): Served => {
  const { isTrusted, kept, now, times } = door;
  const sender = senderOf(socket, isTrusted, "1.1");
  const reservation = createReservation(kept.nextShare(), () => evict(served));
  const unread = createAmount(reservation);
  const untaken = createAmount(reservation);
  const input = createInput(CLIENT_LIMITS);
  const drop = (): void => {
    input.drop();
    unread.set(0);
  };
  const sent = (): void => void untaken.set(0);
  const state = createConnectionState(
    { socket, gate, times, now, input: { pending: input.pending, drop }, sent },
    times.idleMs,
  );
  const served: Served = {
    state,
    door,
    input,
    sender,
    client: { address: sender.address, streams: 0 },
    reservation,
    unread,
    untaken,
    expires,
    written: () => countUntaken(served),
    finished: (close) => finish(served, close),
    isLeaving: false,
    stuckSince: Number.POSITIVE_INFINITY,
    body: undefined,
    left: 0,
    chunks: undefined,
    exchange: undefined,
    reply: undefined,
  };
  return served;
};

const onData = (served: Served, chunk: Buffer): void => {
  const { input, state, unread } = served;
  const { gate } = state;
  state.active = state.now();
  gate.read(chunk.length);
  if (state.phase === "linger") {
    lingerOn(state);
    return;
  }
  input.feed(chunk);
  // the next request can wait in the kernel
  if (state.phase === "busy") gate.pause();
  else advance(served);
  if (unread.set(counted(input.pending()))) return;
  // it is not answered, and the client sees by the end of the connection that it may send it again
  if (state.phase === "busy") served.isLeaving = true;
  else refuse(served, evicted());
  input.drop();
};

const onDrain = (served: Served): void => {
  served.stuckSince = Number.POSITIVE_INFINITY;
  served.untaken.set(0);
  served.exchange?.drained();
};

const onEnd = (served: Served): void => {
  const { state } = served;
  state.active = state.now();
  state.hasEnded = true;
  if (state.phase === "busy") {
    probeUnanswered(served);
    setTimeout(probeUnanswered, PROBE_AGAIN_MS, served).unref();
  } else advance(served);
};

const onClose = (served: Served): void => {
  const { body, exchange, reservation, state } = served;
  state.isGone = true;
  reservation.end();
  body?.release();
  served.body = undefined;
  served.exchange = served.reply = undefined;
  exchange?.gone();
};

const sweep = (served: Served, time: number): void => {
  const { door, expires, isLeaving, state } = served;
  const { socket, times } = state;
  if (state.hasEnded) probeUnanswered(served);
  if (!socket.writableNeedDrain) served.stuckSince = Number.POSITIVE_INFINITY;
  else if (served.stuckSince === Number.POSITIVE_INFINITY) served.stuckSince = time;
  else if (time - served.stuckSince > times.transferMs) socket.destroy();
  const mustGo = isLeaving || door.closing() || time > expires;
  if (mustGo && state.phase === "idle" && time - state.active > LEAVING_IDLE_MS) socket.destroy();
  const late = expire(state, time);
  if (late !== undefined) refuse(served, late);
};

/** Ends what is slow, where others need its memory. */
const evict = (served: Served): boolean => {
  const { body, exchange, reply, state, stuckSince } = served;
  const time = state.now();
  if (time - stuckSince >= YOUNG_MS) {
    state.socket.destroy();
    return true;
  }
  const ms = time - state.started;
  const isSlow = state.phase === "body" && ms >= YOUNG_MS && !isBrisk(body?.received() ?? 0, ms);
  const isHeld = state.phase === "busy" && exchange?.isHeld() === true;
  if (reply?.begun() !== false || !(isSlow || isHeld)) return false;
  refuse(served, evicted());
  return true;
};

/** Where there is no memory for what the client has not taken, it is disconnected. */
const countUntaken = ({ state, untaken }: Served): void => {
  const { socket } = state;
  if (!untaken.set(counted(socket.writableLength))) socket.destroy();
};

/** An interim answer may not come within another one. */
const probeUnanswered = ({ reply, state }: Served): void => {
  if (reply?.begun() === false) probe(state);
};
