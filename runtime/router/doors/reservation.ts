/** What waits in the router for one client's connection, out of the memory for all. */
import { RequestError } from "../../errors/request-error.ts";
import type { Share } from "../../memory/shares.ts";

export type Reservation = {
  /** False, and nothing is taken, where there is no room, or the connection has ended. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  /** The connection has ended: all is given back, and nothing is taken any more. */
  end(): void;
};

/** @param evict ends something that is slow, where there is such; returns whether it did. It is called when others need the room */
export const createReservation = (share: Share, evict: () => boolean): Reservation => {
  const lease = share.lease(() => evict());
  let held = 0;
  return {
    take(bytes) {
      try {
        lease.take(bytes);
      } catch (error) {
        if (error instanceof RequestError) return false;
        throw error;
      }
      held += bytes;
      return true;
    },
    give(bytes) {
      const given = Math.min(bytes, held);
      held -= given;
      lease.give(given);
    },
    end() {
      held = 0;
      lease.end();
    },
  };
};

/** One amount of a reservation that goes up and down. */
export type Amount = {
  /** False where it cannot be so much: then it is what it was. */
  set(bytes: number): boolean;
};

export const createAmount = ({ give, take }: Reservation): Amount => {
  let held = 0;
  return {
    set(bytes) {
      if (bytes > held && !take(bytes - held)) return false;
      if (bytes < held) give(held - bytes);
      held = bytes;
      return true;
    },
  };
};
