/** The connections to one pod over HTTP/2, for gRPC: one as a rule, another where that has as many calls as it may. */
import type { Events, Message, Sent } from "../message.ts";
import { startCall } from "./grpc-call.ts";
import { openSession, type Session } from "./grpc-session.ts";
import type { Address } from "./http1-connection.ts";

export type GrpcPool = {
  send(message: Message, events: Events): Sent;
  /** To be called about once a second. */
  sweep(now: number): void;
  /** Closes when what runs is answered. */
  retire(): void;
  /** Open connections. */
  size(): number;
};

/** Where the pod has not said how many calls it takes on a connection yet. */
const MOST_CALLS = 100;
/** One without calls is closed after this, unless it is the last. */
const IDLE_MS = 60_000;
const RETIRED = "the pod has left the routes";
const UNUSED = "no call has used it for a while";

export const createGrpcPool = (address: Address, now: () => number): GrpcPool => {
  /** When the last call of each ended. */
  const sessions = new Map<Session, number>();
  let retired = false;
  let mostCalls = MOST_CALLS;
  const host = {
    now,
    settled: (most: number) => {
      mostCalls = Math.max(1, Math.min(most, MOST_CALLS));
    },
    idle: (session: Session) => {
      if (retired) session.close(RETIRED);
      else if (sessions.has(session)) sessions.set(session, now());
    },
    closed: (session: Session) => sessions.delete(session),
  };
  const pick = (): Session => {
    for (const session of sessions.keys()) if (session.isOpen()) return session;
    const session = openSession(address, mostCalls, host);
    sessions.set(session, now());
    return session;
  };

  return {
    send: (message, events) => startCall(pick(), message, events),
    sweep(time) {
      for (const [session, idleSince] of sessions) {
        session.sweep(time);
        if (sessions.size > 1 && session.calls() === 0 && time - idleSince >= IDLE_MS) session.close(UNUSED);
      }
    },
    retire() {
      retired = true;
      for (const session of sessions.keys()) if (session.calls() === 0) session.close(RETIRED);
    },
    size: () => sessions.size,
  };
};
