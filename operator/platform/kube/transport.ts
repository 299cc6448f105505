import { createSecureContext } from "node:tls";
import { Agent, type Dispatcher, request } from "undici";
import type { Credentials, ReadCredentials } from "./credentials.ts";
import { fence, notLeading } from "./fence.ts";
import { createPlaces, type Places } from "./places.ts";
import type { Heard } from "./server-clock.ts";

export type HttpRequest = {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Path below the server's address, with its query. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** Watches stay open, so they have connections of their own and never hold up a request. */
  purpose: "request" | "watch";
  signal: AbortSignal;
};

/** Called once for each request sent, with the HTTP status, or `<error>` where there was no answer. */
export type RequestObserver = (sent: { code: string; method: string; host: string; seconds: number }) => void;

/** HTTP to the API server with pooled connections and the credentials of the moment. */
export type Transport = {
  send(request: HttpRequest): Promise<Dispatcher.ResponseData>;
  /** Ends every connection, watches too. */
  close(): Promise<void>;
};

/** A service account token is replaced at 80 % of its life; client-go re-reads it each minute as well. */
const CREDENTIALS_AGE_MS = 55_000;
/** After a 401 the credentials are read at once, but not by every request of a busy operator. */
const REFUSED_CREDENTIALS_AGE_MS = 1_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** The API server closes an idle connection after 90 s; ours goes first, so that a request never meets a closing one. */
const KEEP_ALIVE_MS = 60_000;
/** Requests at one time. More calls than these wait, but for none that has taken a second already: it waits for a webhook, or for etcd. */
const PLACES = { most: 8, slowMs: 1_000, mostSlow: 2 };
/** For those eight, and for the slow ones: two of each kind in each namespace. */
const REQUEST_CONNECTIONS = 128;

type Pools = { fingerprint: string; request: Agent; write: Dispatcher; watch: Agent };

const isWrite = ({ method }: HttpRequest): boolean => method !== "GET";

/** Writes of one kind in one namespace, which meet the same webhooks; reads meet none. */
const groupOf = (sent: HttpRequest): string =>
  isWrite(sent) ? (/^\/apis?\/[^?]*?\/namespaces\/[^/]+\/[^/?]+/.exec(sent.path)?.[0] ?? "") : sent.path;

const dispatcherOf = ({ request, watch, write }: Pools, sent: HttpRequest): Dispatcher => {
  if (sent.purpose === "watch") return watch;
  return isWrite(sent) ? write : request;
};

/** HTTP/1.1: with HTTP/2 one lost packet or one busy stream would delay all watches and the lease together. */
const openPools = ({ fingerprint, tls }: Credentials, mayWrite: () => boolean): Pools => {
  const options = {
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    bodyTimeout: 0, // each caller has a timer of its own
    headersTimeout: 0,
    // made once: each of a dozen connections would read the certificates anew
    connect: {
      ...{ ...tls, secureContext: createSecureContext(tls) },
      ...{ timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: 30_000 },
    },
  };
  const request = new Agent({ ...options, connections: REQUEST_CONNECTIONS });
  return { fingerprint, request, write: request.compose(fence(mayWrite)), watch: new Agent(options) };
};

export type TransportOptions = {
  observe?: RequestObserver;
  /** Whether a write may leave, asked at the last moment before it does. Default: always. */
  mayWrite?: () => boolean;
  /** Told the time that the API server gives with its answers. */
  heard?: (answer: Heard) => void;
  /** A monotonic clock in milliseconds. */
  now?: () => number;
};

type State = {
  readonly readCredentials: ReadCredentials;
  readonly observe: RequestObserver;
  readonly mayWrite: () => boolean;
  readonly heard: ((answer: Heard) => void) | undefined;
  readonly now: () => number;
  readonly places: Places;
  /** The credentials and connections of the moment, read at `readAt`. */
  current: Promise<Connection> | undefined;
  readAt: number;
  pools: Pools | undefined;
  /** Connections of former credentials, while calls still use them. */
  readonly retired: Set<Pools>;
};

type Connection = { credentials: Credentials; pools: Pools };

export const createTransport = (readCredentials: ReadCredentials, options: TransportOptions = {}): Transport => {
  const { observe = () => undefined, mayWrite = () => true, heard, now = () => performance.now() } = options;
  const state: State = {
    ...{ readCredentials, observe, mayWrite, heard, now },
    places: createPlaces(PLACES),
    current: undefined,
    readAt: 0,
    pools: undefined,
    retired: new Set(),
  };
  return {
    async send(sent) {
      const response = await once(state, sent, CREDENTIALS_AGE_MS);
      if (response.statusCode !== 401) return response;
      await response.body.dump();
      return await once(state, sent, REFUSED_CREDENTIALS_AGE_MS);
    },
    async close() {
      const { current, retired } = state;
      await current?.catch(() => undefined);
      const all = state.pools === undefined ? [...retired] : [state.pools, ...retired];
      await Promise.all(all.flatMap((each) => [each.request.destroy(), each.watch.destroy()]));
    },
  };
};

/** The connections, with credentials that were read at most so long ago. */
const connectionOf = (state: State, maxAgeMs: number): Promise<Connection> => {
  const { current, now } = state;
  if (current !== undefined && now() - state.readAt <= maxAgeMs) return current;
  state.readAt = now();
  const loading = load(state);
  state.current = loading;
  // A failed read is not kept: the next request reads again.
  loading.catch(() => {
    if (state.current === loading) state.current = undefined;
  });
  return loading;
};

const load = async (state: State): Promise<Connection> => {
  const credentials = await state.readCredentials();
  const { pools: old } = state;
  if (old?.fingerprint === credentials.fingerprint) return { credentials, pools: old };
  const pools = openPools(credentials, state.mayWrite);
  state.pools = pools;
  // Calls in flight end on the old connections; its watches end when the server's timeout ends them.
  if (old !== undefined) void retire(state, old);
  return { credentials, pools };
};

const retire = async ({ retired }: State, old: Pools): Promise<void> => {
  retired.add(old);
  await Promise.allSettled([old.request.close(), old.watch.close()]);
  retired.delete(old);
};

const once = async (state: State, sent: HttpRequest, maxAgeMs: number): Promise<Dispatcher.ResponseData> => {
  if (sent.purpose === "watch") return await answered(state, sent, maxAgeMs);
  const giveBack = await state.places.take(groupOf(sent), sent.signal);
  try {
    const response = await answered(state, sent, maxAgeMs);
    // its connection is free when the body has been read
    response.body.once("close", giveBack);
    return response;
  } catch (error) {
    giveBack();
    throw error;
  }
};

const answered = async (state: State, sent: HttpRequest, maxAgeMs: number): Promise<Dispatcher.ResponseData> => {
  const { heard, mayWrite, now, observe } = state;
  const { credentials, pools } = await connectionOf(state, maxAgeMs);
  // the fence ends it, too, but with its connection: thousands of writes that wait would make a new one each
  if (isWrite(sent) && !mayWrite()) throw notLeading();
  const start = now();
  let code = "<error>";
  try {
    const response = await request(`${credentials.server}${sent.path}`, {
      dispatcher: dispatcherOf(pools, sent),
      method: sent.method,
      headers: { accept: "application/json", "user-agent": "berth", ...credentials.headers, ...sent.headers },
      body: sent.body ?? null,
      signal: sent.signal,
    });
    code = String(response.statusCode);
    // what is no answer of the API server's own, as of a proxy that cannot reach it, is a 5xx
    const { date } = response.headers;
    if (typeof date === "string" && response.statusCode < 500) heard?.({ date, sentAt: start, at: now() });
    return response;
  } finally {
    const { host } = new URL(credentials.server);
    observe({ code, method: sent.method, host, seconds: (now() - start) / 1000 });
  }
};
