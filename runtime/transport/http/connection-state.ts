/**
 * A connection that is closed for writing. What still comes is read and dropped, because closing with bytes unread resets it, and the
 * client might never see its answer.
 */
import type { Socket } from "node:net";
import { MIN_BYTES_PER_MS, type Times } from "./times.ts";

export type Linger = {
  /** When it is closed whatever its client does, in ms on the connection's clock. */
  deadline(): number;
  /** Something has come. */
  heard(now: number): void;
};

/** However much a client goes on sending after its answer. */
const MAX_LINGER_MS = 30_000;

/** Closes the socket for writing. @param sent what was written is on its way as a whole: after its end a socket tells of no drain */
export const beginLinger = (socket: Socket, times: Times, now: () => number, sent: () => void): Linger => {
  const began = now();
  const queued = socket.writableLength;
  let deadline = began + (queued === 0 ? times.lingerMs : times.transferMs + queued / MIN_BYTES_PER_MS);
  socket.once("finish", () => {
    sent();
    deadline = Math.min(deadline, now() + times.lingerMs);
  });
  socket.end();
  return {
    deadline: () => deadline,
    heard(time) {
      deadline = Math.max(deadline, Math.min(began + MAX_LINGER_MS, time + times.lingerMs));
    },
  };
};
