/** The connections to one pod over HTTP/1.1: as many as it has requests, which its cap bounds, and some that wait for the next. */
import type { Events, Message, Sent } from "../message.ts";
import { type Address, type Connection, openConnection } from "./http1-connection.ts";

export type Pool = {
  send(message: Message, events: Events): Sent;
  /** Closes what has been idle for too long. To be called about once a second. */
  sweep(now: number): void;
  /** Closes what is idle, and the rest when it is answered. */
  retire(): void;
  /** Open connections. */
  size(): number;
};

/** Kept for the next request; more are closed when they are answered. */
const MOST_IDLE = 64;
/**
 * Shorter than any usual server's time (uvicorn's is 5 s, and ours in a drain longer than what it takes to hear of the drain):
 * so it is as a rule the router that closes, and no request meets a connection that the server is just closing.
 */
const IDLE_MS = 4000;

export const createPool = (address: Address, now: () => number): Pool => {
  /** The one that was used last is the last. */
  const idle: Connection[] = [];
  let size = 0;
  let retired = false;
  const host = {
    now,
    idle: (connection: Connection) => {
      if (retired || idle.length >= MOST_IDLE) connection.destroy();
      else idle.push(connection);
    },
    closed: (connection: Connection) => {
      size--;
      const place = idle.indexOf(connection);
      if (place >= 0) idle.splice(place, 1);
    },
  };
  return {
    send(message, events) {
      let connection = idle.pop();
      // on a busy machine the last sweep was long ago, and a pod may just be closing what has been idle
      while (connection !== undefined && isOld(connection, now())) {
        connection.destroy();
        connection = idle.pop();
      }
      if (connection === undefined) {
        size++;
        connection = openConnection(address, host);
      }
      return connection.send(message, events);
    },
    sweep(time) {
      for (const connection of [...idle]) if (isOld(connection, time)) connection.destroy();
    },
    retire() {
      retired = true;
      for (const connection of [...idle]) connection.destroy();
    },
    size: () => size,
  };
};

const isOld = (connection: Connection, time: number): boolean => time - connection.idleSince() >= IDLE_MS;
