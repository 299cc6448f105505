/** One connection to a pod over HTTP/2, and whether the pod is still there. */
import { connect } from "node:net";
import { type Client, createHttp2Client } from "../../transport/http2/index.ts";
import type { Address } from "./http1-connection.ts";
import { createRooms } from "./read-rooms.ts";
import { ANSWER_LIMITS } from "./response-head.ts";

export type Session = Pick<Client, "call" | "calls" | "close"> & {
  /** What calls name where they name nothing. */
  readonly authority: string;
  /** It takes another one. */
  isOpen(): boolean;
  /** To be called about once a second. */
  sweep(now: number): void;
};

export type Host = {
  now(): number;
  /** How many calls the pod has said that it takes on a connection. */
  settled(most: number): void;
  /** It has no call any more. */
  idle(session: Session): void;
  closed(session: Session): void;
};

const CONNECT_MS = 2000;
/** A pod that says nothing for so long, while calls wait for it, is asked for a sign of life, */
const SILENT_MS = 10_000;
/** which must come within this, */
const PING_MS = 5000;
/** and meanwhile takes no new calls after this. */
const DOUBT_MS = 1000;
/**
 * gRPC's own servers close a connection with too_many_pings at the fourth within five minutes without a word of theirs; each is asked for
 * after twice the silence of the one before.
 */
const MOST_PINGS = 3;

/** @param mostCalls of which the pod may be sent the first before it has said how many it takes, and the others then */
export const openSession = (
  { host, port }: Address,
  mostCalls: number,
  { closed, idle, now, settled }: Host,
): Session => {
  const rooms = createRooms();
  const callback = (bytes: number): boolean => {
    const isTaken = client.read(rooms.now().subarray(0, bytes));
    rooms.flushed(isTaken ? "taken" : "kept");
    return true;
  };
  const socket = connect({ host, port, noDelay: true, onread: { buffer: rooms.next, callback } });
  const connecting = setTimeout(() => client.close(`no connection within ${CONNECT_MS} ms`), CONNECT_MS);
  let heardAt = now();
  let pings = 0;
  let pingedAt: number | undefined;

  socket.once("connect", () => {
    clearTimeout(connecting);
    heardAt = now();
  });
  const client = createHttp2Client(socket, {
    ...{ now, headLimits: ANSWER_LIMITS, mostCalls, settled },
    moved: () => {
      heardAt = now();
      pings = 0;
      pingedAt = undefined;
    },
    ponged: () => {
      pingedAt = undefined;
    },
    idle: () => idle(session),
    closed: () => {
      clearTimeout(connecting);
      closed(session);
    },
  });

  const session: Session = {
    authority: `${host.includes(":") ? `[${host}]` : host}:${port}`,
    call: client.call,
    calls: client.calls,
    close: client.close,
    isOpen: () => client.isOpen() && !(pingedAt !== undefined && now() - pingedAt > DOUBT_MS),
    sweep: (time) => {
      if (!client.isConnected()) return;
      if (pingedAt !== undefined) {
        if (time - pingedAt >= PING_MS) client.close(`no answer to a ping within ${PING_MS / 1000} s`);
      } else if (client.calls() > 0 && pings < MOST_PINGS && time - heardAt >= SILENT_MS * 2 ** pings) {
        pings++;
        pingedAt = time;
        client.ping();
      }
    },
  };
  return session;
};
