/** The connections to one pod over HTTP/2, for gRPC: one as a rule, another where that has as many calls as it may. */
import type { Events, Message, Sent } from "../message.ts";
import { NOTHING_SENT, startCall } from "./grpc-call.ts";
import { IDLE_MS, openSession, type Session } from "./grpc-session.ts";
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

export const createGrpcPool = (address: Address, now: () => number): GrpcPool => {
  /** When the last call of each ended. */
  const sessions = new Map<Session, number>();
  let retired = false;

  const open = (): Session => {
    const session = openSession(address, now, (one) => sessions.delete(one));
    sessions.set(session, now());
    return session;
  };
  const pick = (): Session => {
    for (const session of sessions.keys()) if (session.isOpen()) return session;
    return open();
  };

  return {
    send(message, events) {
      const session = pick();
      const call = startCall(session, message, events);
      if (call === undefined) return NOTHING_SENT;
      session.calls++;
      call.stream.once("close", () => {
        session.calls--;
        sessions.set(session, now());
        if (session.http2.destroyed) sessions.delete(session);
        else if (retired && session.calls === 0) session.http2.close();
      });
      return call;
    },
    sweep(time) {
      for (const [session, idleSince] of sessions) {
        session.sweep(time);
        if (sessions.size > 1 && session.calls === 0 && time - idleSince >= IDLE_MS) session.http2.close();
      }
    },
    retire() {
      retired = true;
      for (const { calls, http2 } of sessions.keys()) if (calls === 0) http2.close();
    },
    size: () => sessions.size,
  };
};
