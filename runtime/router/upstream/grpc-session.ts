/** One connection to a pod over HTTP/2, and whether the pod is still there. */
import { type ClientHttp2Session, connect } from "node:http2";
import type { Address } from "./http1-connection.ts";

export type Session = {
  readonly http2: ClientHttp2Session;
  /** Under way. */
  calls: number;
  /** It takes another one. */
  isOpen(): boolean;
  /** What the pod says it has not begun with when it went away, and will not: the calls above this one. */
  lastServed(): number;
  /** Something has come from the pod. */
  heard(): void;
  /** To be called about once a second. */
  sweep(now: number): void;
};

/** What a pod may send before it must wait for the client, in bytes: of a call, and of all on a connection. */
const STREAM_WINDOW = 1024 ** 2;
const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
/** Where the pod has not said how many calls it takes on a connection yet. */
const MOST_STREAMS = 100;
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
/** One without calls is closed after this, unless it is the last. */
export const IDLE_MS = 60_000;

export const openSession = (
  { host, port }: Address,
  now: () => number,
  closed: (session: Session) => void,
): Session => {
  const settings = { initialWindowSize: STREAM_WINDOW, enablePush: false };
  const http2 = connect(`http://${host.includes(":") ? `[${host}]` : host}:${port}`, { settings });
  const connecting = setTimeout(() => http2.destroy(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
  let isLeaving = false;
  let lastServed = Number.POSITIVE_INFINITY;
  let heardAt = now();
  let pings = 0;
  let pingedAt: number | undefined;

  http2.once("connect", () => {
    clearTimeout(connecting);
    heardAt = now();
    http2.setLocalWindowSize(CONNECTION_WINDOW);
  });
  // the pod is leaving: what runs goes on, and the next call goes elsewhere
  http2.on("goaway", (_code: number, last: number) => {
    isLeaving = true;
    lastServed = Math.min(lastServed, last);
  });
  // each call is told by its own error
  http2.on("error", () => undefined);
  http2.once("close", () => {
    clearTimeout(connecting);
    closed(session);
  });

  const ping = (time: number): void => {
    pings++;
    pingedAt = time;
    http2.ping((error) => {
      if (error === null) pingedAt = undefined;
    });
  };
  const session: Session = {
    http2,
    calls: 0,
    isOpen: () => {
      const most = http2.remoteSettings?.maxConcurrentStreams ?? MOST_STREAMS;
      const isDoubtful = pingedAt !== undefined && now() - pingedAt > DOUBT_MS;
      return !isLeaving && !isDoubtful && !http2.closed && !http2.destroyed && session.calls < most;
    },
    lastServed: () => lastServed,
    heard: () => {
      heardAt = now();
      pings = 0;
      pingedAt = undefined;
    },
    sweep: (time) => {
      if (http2.destroyed || http2.connecting) return;
      if (pingedAt !== undefined) {
        if (time - pingedAt >= PING_MS) http2.destroy(new Error(`no answer to a ping within ${PING_MS / 1000} s`));
      } else if (session.calls > 0 && pings < MOST_PINGS && time - heardAt >= SILENT_MS * 2 ** pings) ping(time);
    },
  };
  return session;
};
