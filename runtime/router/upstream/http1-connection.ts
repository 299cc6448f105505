/** One connection to a pod over HTTP/1.1, for one request after the other. */
import { connect } from "node:net";
import { createChunks } from "../../transport/http/chunks.ts";
import { trailersToClient } from "../hop-by-hop.ts";
import type { Events, Message, Sent } from "../message.ts";
import { onEnd, onRead } from "./http1-answer.ts";
import { begin, send } from "./http1-request.ts";
import { type ConnectionState, createConnectionState, fail } from "./http1-state.ts";
import { createRooms } from "./read-rooms.ts";

export type Address = { host: string; port: number };

export type Connection = {
  send(message: Message, events: Events): Sent;
  /** Since when it has had nothing to do. */
  idleSince(): number;
  destroy(): void;
};

export type Host = {
  now(): number;
  /** The answer has come whole, and the next request may be sent. */
  idle(connection: Connection): void;
  /** It can take no request any more. */
  closed(connection: Connection): void;
};

/** A node that is gone answers nothing at all; within a cluster, a connection takes a millisecond. */
const CONNECT_MS = 2000;

export const openConnection = (address: Address, host: Host): Connection => {
  const state = createState(address, host.now, {
    idle: () => host.idle(connection),
    closed: () => host.closed(connection),
  });
  const { socket } = state;
  socket.on("connect", () => onConnect(state));
  socket.on("drain", () => state.resumeSource?.());
  socket.on("end", () => onEnd(state));
  socket.on("error", (error) => fail(state, error.message, !state.heard && isOfWrite(error)));
  socket.once("close", () => fail(state, "the connection was closed"));
  const connection: Connection = {
    send: (message, events) => send(state, message, events),
    idleSince: () => state.sentAt,
    destroy: () => fail(state, "the pod has left the routes"),
  };
  return connection;
};

const createState = (
  { host, port }: Address,
  now: () => number,
  told: Pick<ConnectionState, "idle" | "closed">,
): ConnectionState => {
  const rooms = createRooms();
  const callback = (bytes: number): boolean => {
    onRead(state, rooms.now().subarray(0, bytes));
    return true;
  };
  const socket = connect({ host, port, noDelay: true, onread: { buffer: rooms.next, callback } });
  const connecting = setTimeout(() => fail(state, `no connection within ${CONNECT_MS} ms`), CONNECT_MS);
  const chunks = createChunks({
    size: () => undefined,
    data: (bytes, from, to) => state.events?.data(bytes.subarray(from, to)),
    trailers: (fields) => {
      state.trailers = trailersToClient(fields);
    },
  });
  const state: ConnectionState = createConnectionState({ socket, rooms, chunks, connecting, now, ...told });
  return state;
};

const onConnect = (state: ConnectionState): void => {
  if (state.phase === "connecting") state.phase = "open";
  clearTimeout(state.connecting);
  begin(state);
};

const isOfWrite = (error: Error): boolean => "syscall" in error && error.syscall === "write";
