/** What a client of HTTP/2 says, heard by a server that only listens; what it is told is given to the client by hand. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import {
  type CallEvents,
  type Client,
  type ClientOptions,
  createHttp2Client,
} from "../../runtime/transport/http2/index.ts";
import { until } from "./patience.ts";
import { literal } from "./raw-http2.ts";

export type Heard = { type: number; flags: number; stream: number; payload: Buffer };

const PREFACE_BYTES = 24;

/** The frames in what came after the preface. */
const framesIn = (all: Buffer): Heard[] => {
  const frames: Heard[] = [];
  for (let at = PREFACE_BYTES; at + 9 <= all.length; ) {
    const length = all.readUIntBE(at, 3);
    const payload = all.subarray(at + 9, at + 9 + length);
    if (payload.length < length) break;
    frames.push({ type: all[at + 3] ?? 0, flags: all[at + 4] ?? 0, stream: all.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  return frames;
};

/** What one call is told, a line for each; data that come one after the other are one. */
export type Told = { log: string[]; events: CallEvents };

export const told = (isTaken: () => boolean = () => true): Told => {
  const log: string[] = [];
  let isInData = false;
  const say = (line: string): void => {
    isInData = false;
    log.push(line);
  };
  const fields = (headers: readonly (readonly [string, string])[]): string =>
    headers.map(([name, value]) => ` ${name}=${value}`).join("");
  return {
    log,
    events: {
      begun: () => say("begun"),
      head: (status, headers, ended) => say(`head ${status}${fields(headers)}${ended ? " (ended)" : ""}`),
      data: (bytes) => {
        const text = bytes.toString("latin1");
        if (isInData) log[log.length - 1] += text;
        else log.push(`data ${text}`);
        isInData = true;
      },
      flush: isTaken,
      end: (trailers) => say(`end${fields(trailers)}`),
      failed: ({ kind, reason }) => say(`${kind}: ${reason}`),
      drained: () => say("drained"),
    },
  };
};

export const headerBlock = (...fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(fields.flatMap(literal));

export const CALL: readonly (readonly [string, string])[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/a/b"],
  [":authority", "h"],
  ["te", "trailers"],
];

/** All that was asked for in this turn has begun, and was sent. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

export type Connected = {
  client: Client;
  socket: Socket;
  heard(): Heard[];
  all(): Buffer;
  happened: string[];
  hangUp(): void;
  isHeardOut(): boolean;
};

export const connectClient = async (t: TestContext, options: Partial<ClientOptions> = {}): Promise<Connected> => {
  const pieces: Buffer[] = [];
  const happened: string[] = [];
  const open: Socket[] = [];
  let isHeardOut = false;
  const server = createServer((socket) => {
    open.push(socket);
    t.after(() => socket.destroy());
    socket.on("error", () => undefined).on("data", (bytes) => pieces.push(bytes));
    socket.once("end", () => {
      isHeardOut = true;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server has no port");
  const socket = connect({ port: address.port, host: "127.0.0.1", noDelay: true });
  const client = createHttp2Client(socket, {
    ...{ headLimits: { fields: 100, bytes: 16_384 }, mostCalls: 100, now: () => 0 },
    moved: () => undefined,
    settled: () => undefined,
    ponged: () => void happened.push("pong"),
    idle: () => void happened.push("idle"),
    closed: () => void happened.push("closed"),
    ...options,
  });
  t.after(() => {
    socket.destroy();
    server.close();
  });
  await once(socket, "connect");
  const all = (): Buffer => Buffer.concat(pieces);
  const hangUp = (): void => {
    for (const one of open) one.end();
  };
  // until then there is nobody to hang up
  await until("the connection at the server", () => open.length > 0);
  // what comes by the socket is read as well: its end must show
  socket.resume();
  return { client, socket, happened, all, hangUp, heard: () => framesIn(all()), isHeardOut: () => isHeardOut };
};
