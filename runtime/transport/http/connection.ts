import type { Socket } from "node:net";
import { isBrisk } from "../../memory/room.ts";
import { evicted } from "../../memory/shares.ts";
import {
  type ConnectionState,
  createConnectionState,
  expire,
  idleSince,
  isReading,
  lingerOn,
  PROBE_AGAIN_MS,
  probe,
} from "./connection-state.ts";
import { countStatus } from "./counters.ts";
import { createHandling } from "./handling.ts";
import { createReader } from "./reader.ts";
import { advance, answerError, onAnswered, onFailed, type Served } from "./requests.ts";
import type { Shared } from "./shared.ts";
import { createUnsent } from "./unsent.ts";

/** One past its age that has been idle for less may be just about to carry a request, and the next answer will end it. */
const AGED_IDLE_MS = 5000;

export type Connection = {
  /** Ends what has outlived its time. */
  sweep(now: number): void;
  /** Closes it if nothing has been heard of it since `time` and it owes no answer. */
  closeIdleSince(time: number): void;
  /** Since when it has nothing to do; undefined while it has. */
  idleSince(): number | undefined;
  destroy(): void;
};

/** Serves one connection, a request at a time. @param socket paused @param expires when it is too old */
export const serveConnection = (socket: Socket, shared: Shared, expires: number): Connection => {
  const served = createServed(socket, shared, expires);
  const { state } = served;
  socket.on("data", (chunk: Buffer) => onData(served, chunk));
  socket.on("end", () => onEnd(served));
  socket.on("drain", () => onDrain(served));
  socket.on("error", () => undefined);
  socket.once("close", () => onClose(served));
  state.gate.resume();
  return {
    sweep: (now) => sweep(served, now),
    idleSince: () => idleSince(state),
    closeIdleSince: (time) => closeIdleSince(state, time),
    destroy: () => socket.destroy(),
  };
};

const createServed = (socket: Socket, shared: Shared, expires: number): Served => {
  const { maxBodyBytes, now, times } = shared;
  const gate = shared.pace(socket);
  const lease = shared.nextIncoming().lease((heldMs) => evict(served, heldMs));
  const unsent = createUnsent(socket, shared);
  const reader = createReader(maxBodyBytes, lease);
  // one that never says anything has less time than one between two requests
  const withinMs = times.headerMs;
  const state = createConnectionState({ socket, gate, times, now, input: reader, sent: unsent.release }, withinMs);
  const handling = createHandling(shared, lease, {
    answered: (response) => onAnswered(served, response),
    failed: (error) => onFailed(served, error, false),
  });
  const served: Served = { state, shared, reader, lease, handling, unsent, expires, now: state.active };
  return served;
};

const onData = (served: Served, chunk: Buffer): void => {
  const { reader, state } = served;
  const { gate } = state;
  hear(served);
  gate.read(chunk.length);
  if (state.phase === "linger") {
    lingerOn(state);
    return;
  }
  reader.feed(chunk);
  if (isReading(state)) advance(served);
  // the next request can wait in the kernel
  else gate.pause();
};

const onEnd = (served: Served): void => {
  const { state } = served;
  hear(served);
  state.hasEnded = true;
  if (state.phase === "busy") {
    probe(state);
    setTimeout(probe, PROBE_AGAIN_MS, state).unref();
  } else advance(served);
};

const onDrain = (served: Served): void => {
  const { state, unsent } = served;
  unsent.release();
  if (state.phase !== "writing") return;
  hear(served);
  state.phase = "idle";
  state.deadline = state.active + state.times.idleMs;
  advance(served);
  state.gate.resume();
};

const onClose = ({ handling, lease, shared, state, unsent }: Served): void => {
  const { counters } = shared;
  state.isGone = true;
  state.gate.close();
  if (state.head !== undefined) {
    counters.inFlight--;
    countStatus(counters, 499);
  }
  lease.end();
  unsent.end();
  state.head = undefined;
  handling.leave();
};

const hear = (served: Served): void => {
  served.now = served.state.active = served.shared.now();
};

const sweep = (served: Served, now: number): void => {
  const { expires, state } = served;
  served.now = now;
  if (state.hasEnded) probe(state);
  if (state.phase === "idle" && now > expires && now - state.active > AGED_IDLE_MS) state.socket.destroy();
  const late = expire(state, now);
  if (late !== undefined) answerError(served, late, true);
};

const closeIdleSince = ({ active, gate, phase, socket }: ConnectionState, time: number): void => {
  if (gate.waits() || active >= time || socket.writableLength > 0) return;
  if (phase === "idle" || phase === "head" || phase === "linger") socket.destroy();
};

/** Ends a body that is slow to come, where others need its memory. */
const evict = (served: Served, heldMs: number): boolean => {
  const { reader, state } = served;
  if (state.phase !== "body" || isBrisk(reader.received(), heldMs)) return false;
  onFailed(served, evicted(), true);
  return true;
};
