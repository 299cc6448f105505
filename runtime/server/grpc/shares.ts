import { RequestError } from "../../inference/errors.ts";
import type { Lease } from "../http/budget.ts";

/** What one connection holds of the memory for messages. */
export type Share = {
  /** @param evict frees what the lease holds, where that can be; returns whether it did */
  lease(evict: () => boolean): Lease;
};

/**
 * The memory for messages that are not whole yet, that wait, or that their client does not take: `mostBytes` for all
 * connections together. Once it is used up, what the connection with the most has held for longest makes room, so that no
 * client can take it from the others by holding it.
 */
export const createShares = (mostBytes: number): (() => Share) => {
  let left = mostBytes;
  const holders = new Set<Holder>();

  const largest = (): Holder | undefined => {
    let most: Holder | undefined;
    for (const holder of holders) if (most === undefined || holder.bytes > most.bytes) most = holder;
    return most;
  };
  /** Whether there is room now for what `holder` needs. */
  const makeRoom = (bytes: number, holder: Holder): boolean => {
    while (bytes > left) {
      const most = largest();
      if (most === undefined || most === holder || most.bytes <= holder.bytes + bytes || !evictFrom(most)) return false;
    }
    return true;
  };

  return () => {
    const holder: Holder = { bytes: 0, leases: new Map() };
    const lease = (evict: () => boolean): Lease => {
      let taken = 0;
      let ended = false;
      const release = (): void => {
        if (taken === 0) return;
        left += taken;
        holder.bytes -= taken;
        taken = 0;
        holder.leases.delete(own);
        if (holder.bytes === 0) holders.delete(holder);
      };
      const own: Lease = {
        take: (bytes) => {
          if (ended) throw new RequestError("Cancelled", "the client has gone");
          if (bytes === 0) return;
          if (bytes > left && !makeRoom(bytes, holder)) {
            throw new RequestError("Overloaded", "too many large messages at once; try again", 1);
          }
          if (taken === 0) {
            holder.leases.set(own, evict);
            holders.add(holder);
          }
          left -= bytes;
          holder.bytes += bytes;
          taken += bytes;
        },
        release,
        end: () => {
          release();
          ended = true;
        },
      };
      return own;
    };
    return { lease };
  };
};

/** `leases`: those that hold bytes, the oldest first. */
type Holder = { bytes: number; leases: Map<Lease, () => boolean> };

const evictFrom = ({ leases }: Holder): boolean => {
  for (const evict of [...leases.values()]) if (evict()) return true;
  return false;
};
