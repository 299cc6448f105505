import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { RequestError } from "../protocols/open-inference/errors.ts";
import type { RestRequest, RestResponse } from "../protocols/open-inference/rest.ts";
import type { ShardMetrics } from "../telemetry/metrics.ts";
import { readBody } from "./body.ts";

export type Bounds = {
  /** Of a body, before and after decompression. */
  maxBodyBytes: number;
  /** More requests at once than this are turned away: they would only wait for each other. */
  maxInFlight: number;
  /** A client that takes longer to send its header, or its header and body together, is cut off. */
  headerMs: number;
  requestMs: number;
};

/** The bounds of every server but `maxBodyBytes`, which its user chooses. */
export const BOUNDS = { maxInFlight: 512, headerMs: 10_000, requestMs: 60_000 };

/** Longer than the 60 s after which usual load balancers drop an idle connection, so that it is never the server that does. */
const KEEP_ALIVE_MS = 75_000;
/** An answer that comes before the end of the request's body: for so long the rest is read and dropped. */
const LINGER_MS = 1000;

export type DataServer = {
  server: Server;
  inFlight(): number;
  /** When the last request was answered or a connection opened, on `performance.now`'s clock. */
  lastActivity(): number;
  /** How many connections there have been. */
  accepted(): number;
  /** From now on every answer closes its connection. */
  closeConnections(): void;
  /** Closes connections that have been idle since before `time`. Returns how many connections are open still. */
  closeIdleSince(time: number): number;
};

/** The data port: reads requests within bounds, hands them to `handle`, and writes what it answers. */
export const createDataServer = (
  handle: (request: RestRequest) => Promise<RestResponse>,
  metrics: ShardMetrics,
  bounds: Bounds,
  logError: (error: unknown) => void,
): DataServer => {
  const { maxBodyBytes } = bounds;
  const budget = { left: 4 * maxBodyBytes };
  /** Open connections: the number of requests that each is busy with, and when it was last active. */
  const connections = new Map<Socket, { busy: number; active: number }>();
  let inFlight = 0;
  let closing = false;
  let accepted = 0;
  let lastActivity = performance.now();

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const body = readBody(request, maxBodyBytes, budget);
    const started = performance.now();
    let result: RestResponse;
    try {
      if (inFlight > bounds.maxInFlight)
        throw new RequestError(503, "too many requests at once; try again", { "retry-after": "1" });
      const headerLength = request.headers["inference-header-content-length"];
      result = await handle({
        method: request.method ?? "GET",
        path,
        headerLength: Array.isArray(headerLength) ? headerLength.join() : headerLength,
        body: body.read,
      });
    } catch (error) {
      result = toErrorResponse(error, logError);
    } finally {
      body.release();
    }
    send(request, response, result, closing);
    if (path.endsWith("/infer")) {
      metrics.requests.inc({ code: String(result.status) });
      metrics.requestSeconds.observe((performance.now() - started) / 1000);
    }
  };

  const server = createServer(
    {
      headersTimeout: bounds.headerMs,
      requestTimeout: bounds.requestMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: bounds.headerMs / 2,
      noDelay: true,
    },
    (request, response) => {
      const { socket } = request;
      const connection = connections.get(socket);
      inFlight++;
      if (connection !== undefined) connection.busy++;
      response.once("close", () => {
        inFlight--;
        lastActivity = performance.now();
        if (connection === undefined) return;
        connection.busy--;
        connection.active = lastActivity;
      });
      answer(request, response).catch((error: unknown) => {
        logError(error);
        socket.destroy();
      });
    },
  );
  server.on("connection", (socket) => {
    lastActivity = performance.now();
    accepted++;
    connections.set(socket, { busy: 0, active: lastActivity });
    socket.once("close", () => connections.delete(socket));
  });
  server.on("clientError", (error: Error & { code?: string }, socket) => {
    if (!socket.writable) return;
    const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
    const text = JSON.stringify({ error: STATUS_CODES[status] });
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
    );
  });

  return {
    server,
    inFlight: () => inFlight,
    lastActivity: () => lastActivity,
    accepted: () => accepted,
    closeConnections() {
      closing = true;
    },
    closeIdleSince(time) {
      for (const [socket, { busy, active }] of connections) if (busy === 0 && active < time) socket.destroy();
      return connections.size;
    },
  };
};

const toErrorResponse = (error: unknown, logError: (error: unknown) => void): RestResponse => {
  const known = error instanceof RequestError;
  if (!known) logError(error);
  const message = known ? error.message : "the server failed; its log says why";
  return {
    status: known ? error.status : 500,
    headers: { ...(known ? error.headers : {}), "content-type": "application/json" },
    parts: [JSON.stringify({ error: message })],
  };
};

const send = (request: IncomingMessage, response: ServerResponse, result: RestResponse, closing: boolean): void => {
  const length = result.parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  // A body that was not read to its end would be taken for the next request.
  const unread = !request.complete && request.headers["content-length"] !== "0" && hasBody(request);
  const close = closing || unread;
  response.writeHead(result.status, {
    ...result.headers,
    "content-length": length,
    ...(close ? { connection: "close" } : {}),
  });
  if (request.method !== "HEAD") for (const part of result.parts) response.write(part);
  if (!unread) {
    response.end();
    return;
  }
  // Closing while the client still sends would reset the connection, and the client might never see the answer.
  const timer = setTimeout(() => response.end(), LINGER_MS);
  response.once("close", () => clearTimeout(timer));
  request.once("end", () => response.end());
  request.once("error", () => undefined);
  request.resume();
};

const hasBody = (request: IncomingMessage): boolean =>
  request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
