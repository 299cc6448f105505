/** The memory of an answer that was written and that the client has not taken yet. */
import type { Socket } from "node:net";
import { isBrisk } from "../../memory/room.ts";
import type { Shared } from "./shared.ts";

/** A larger answer is counted before it is written; a smaller one only where its client does not take it at once. */
const UNCOUNTED_BYTES = 64 * 1024;

export type Unsent = {
  /** Before an answer is written. Throws Overloaded where there is no room for it. */
  before(bytes: number): void;
  /** After it was written. @param flushed whether the client's system has taken all of it */
  after(bytes: number, flushed: boolean): void;
  /** It was taken. */
  release(): void;
  /** The connection has ended. */
  end(): void;
};

export const createUnsent = (socket: Socket, shared: Shared): Unsent => {
  let held = 0;
  const disconnect = (): void => {
    shared.logError(new Error(`a client that did not take its answer of ${held} bytes was disconnected`));
    socket.destroy();
  };
  const lease = shared.nextUnsent().lease((heldMs) => {
    // how much of it has gone cannot be seen: a client that takes 1 MB/s has taken all of it by then
    if (isBrisk(held, heldMs)) return false;
    lease.end();
    disconnect();
    return true;
  });
  return {
    before(bytes) {
      if (bytes <= UNCOUNTED_BYTES) return;
      // one that is larger than all of it can be sent while no other waits
      lease.take(Math.min(bytes, shared.maxUnsentBytes));
      held = bytes;
    },
    after(bytes, flushed) {
      if (flushed) lease.release();
      else if (bytes <= UNCOUNTED_BYTES) {
        held = bytes;
        try {
          lease.take(bytes);
        } catch {
          disconnect();
        }
      }
    },
    release: lease.release,
    end: lease.end,
  };
};
