/** A proxy before the real API server, which kills, drops and lies as it is told. Plain HTTP, on loopback only. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import type { Upstream } from "./upstream.ts";

/** A request of the operator. */
export type Call = {
  method: string;
  /** With its query. */
  path: string;
  /** What it asks for, alike in each run: `create deployments/digits-0a1b2c3d`, `apply modeldeployments/digits/status`. */
  what: string;
  plural: string;
  /**
   * Changes an object of the namespace that is looked at. Leases and events are left out: they come by the clock, and nothing is
   * built on them.
   */
  isWrite: boolean;
  isWatch: boolean;
  isList: boolean;
  /** Milliseconds of `performance.now`. */
  at: number;
};

/** What becomes of a call. */
export type Fate =
  | { do: "forward" }
  /** The proxy answers; the API server never hears of it. */
  | { do: "answer"; status: number; reason: string; retryAfter?: number }
  /** The connection is cut; the API server never hears of it. */
  | { do: "reset" }
  /** It is never answered. */
  | { do: "hang" }
  /** It is carried out, and then the connection is cut. */
  | { do: "lose" };

export type Rules = {
  fate(call: Call): Fate;
  /** The API server has answered, and nothing of it has been passed on. */
  committed(call: Call, status: number): void;
  /** The answer has gone out whole. */
  delivered(call: Call): void;
  /** The body of a list, as it is passed on. */
  listed(call: Call, body: string): string;
};

/** A watch that is open. */
export type OpenWatch = { plural: string; cut(): void; hold(): void; release(): void };

/** A write that the API server has answered. */
export type Write = { what: string; status: number; at: number };

export type FaultProxy = {
  url: string;
  /** Replaces some of the rules; `calm()` puts all of them back. */
  rule(rules: Partial<Rules>): void;
  calm(): void;
  watches: ReadonlySet<OpenWatch>;
  /** Those that the API server has answered, since the last `forget`. */
  writes: readonly Write[];
  forget(): void;
  /** When the last write came; a quiet operator has none. */
  lastWriteAt(): number;
  /** When it was last asked for anything but leases and events; an operator that has just begun asks for lists first. */
  lastCallAt(): number;
  close(): void;
};

const CALM: Rules = {
  fate: () => ({ do: "forward" }),
  committed: () => undefined,
  delivered: () => undefined,
  listed: (_call, body) => body,
};

/** @param namespace whose writes are counted; another one may be on its way out */
export const startProxy = async (upstream: Upstream, namespace: string): Promise<FaultProxy> => {
  const agent = new Agent({ keepAlive: true, ca: upstream.authority });
  const watches = new Set<OpenWatch>();
  let rules = CALM;
  let writes: Write[] = [];
  let lastWriteAt = performance.now();
  let lastCallAt = performance.now();

  const forward = (
    { isWrite }: Call,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    body: Buffer,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { host: _, connection: __, ...headers } = incoming.headers;
      const { method, url } = incoming;
      const { host, port } = upstream;
      const sent = request({ agent, host, port, method, path: url, headers }, resolve);
      sent.on("error", reject);
      // a write that has gone out is carried out, also where the operator ends meanwhile: only its answer tells us
      if (!isWrite) outgoing.once("close", () => sent.destroy());
      sent.end(body);
    });

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await piecesOf(incoming));
    const call = callOf(incoming, body, namespace);
    if (call.isWrite) lastWriteAt = call.at;
    if (!BY_THE_CLOCK.has(call.plural)) lastCallAt = call.at;
    const fate = rules.fate(call);
    if (fate.do === "reset") incoming.socket.destroy();
    if (fate.do === "answer") refuse(outgoing, fate);
    if (fate.do !== "forward" && fate.do !== "lose") return;
    const answer = await forward(call, incoming, outgoing, body);
    if (call.isWatch) {
      follow(call, answer, outgoing);
      return;
    }
    const status = answer.statusCode ?? 502;
    const text = Buffer.concat(await piecesOf(answer)).toString();
    if (call.isWrite) writes.push({ what: call.what, status, at: call.at });
    rules.committed(call, status);
    if (fate.do === "lose") {
      incoming.socket.destroy();
      return;
    }
    outgoing.writeHead(status, passedOn(answer.headers));
    outgoing.end(call.isList ? rules.listed(call, text) : text, () => rules.delivered(call));
  };

  const follow = (call: Call, answer: IncomingMessage, outgoing: ServerResponse): void => {
    outgoing.writeHead(answer.statusCode ?? 502, passedOn(answer.headers));
    outgoing.flushHeaders();
    const end = (): void => {
      watches.delete(watch);
      answer.destroy();
      outgoing.destroy();
    };
    const watch: OpenWatch = {
      plural: call.plural,
      cut: end,
      hold: () => answer.unpipe(outgoing).pause(),
      release: () => void answer.pipe(outgoing),
    };
    watches.add(watch);
    answer.pipe(outgoing);
    answer.once("error", end).once("close", end);
    outgoing.once("close", end);
  };

  const server = createServer((incoming, outgoing) => {
    // the operator may be gone, by our own hand
    serve(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    rule(some) {
      rules = { ...rules, ...some };
    },
    calm() {
      rules = CALM;
    },
    watches,
    get writes() {
      return writes;
    },
    forget() {
      writes = [];
    },
    lastWriteAt: () => lastWriteAt,
    lastCallAt: () => lastCallAt,
    close() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
};

const piecesOf = async (stream: AsyncIterable<Buffer>): Promise<Buffer[]> => {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
};

const VERBS: Readonly<Record<string, string>> = { POST: "create", PATCH: "apply", PUT: "update", DELETE: "delete" };
const BY_THE_CLOCK = new Set(["leases", "events"]);

const callOf = ({ method = "GET", url = "/" }: IncomingMessage, body: Buffer, namespace: string): Call => {
  const { pathname, searchParams } = new URL(url, "http://proxy");
  const [plural = "", named = "", subresource = ""] = pathname
    .replace(/^\/(api|apis\/[^/]+)\/[^/]+\//, "")
    .replace(/^namespaces\/[^/]+\//, "")
    .split("/");
  const name = method === "POST" && named === "" ? nameIn(body) : named;
  const target = [plural, name, subresource].filter((part) => part !== "").join("/");
  const isGet = method === "GET";
  const isWatch = isGet && searchParams.get("watch") === "true";
  return {
    ...{ method, path: url, plural, isWatch },
    what: `${VERBS[method] ?? "get"} ${target}`,
    isWrite: !isGet && !BY_THE_CLOCK.has(plural) && pathname.includes(`/namespaces/${namespace}/`),
    isList: isGet && !isWatch && named === "",
    at: performance.now(),
  };
};

const nameIn = (body: Buffer): string => /"name":\s*"([^"]+)"/.exec(body.toString())?.[1] ?? "";

/** The length is another where a list was changed. */
const passedOn = ({ "content-length": _, "transfer-encoding": __, connection: ___, ...headers }: IncomingHttpHeaders) =>
  headers;

const refuse = (outgoing: ServerResponse, { status, reason, retryAfter }: Extract<Fate, { do: "answer" }>): void => {
  const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  outgoing.writeHead(status, { "content-type": "application/json", ...headers });
  outgoing.end(
    JSON.stringify({
      ...{ apiVersion: "v1", kind: "Status", status: "Failure", code: status, reason },
      message: `${reason}: made up by the test`,
    }),
  );
};
