import { RequestError } from "../errors/request-error.ts";

/** What one message holds of the memory for all. */
export type Lease = {
  /** Throws Overloaded where there is no room for so many bytes, and Cancelled after `end`. */
  take(bytes: number): void;
  /** Gives back so many of the bytes that were taken. */
  give(bytes: number): void;
  /** Gives back what was taken. */
  release(): void;
  /** Gives back what was taken, and takes no more: work that goes on for a client that has left must not. */
  end(): void;
};

/** What one connection holds. */
export type Share = {
  /** @param evict frees what the lease has held for `heldMs`, where that can be and is right; returns whether it did */
  lease(evict: (heldMs: number) => boolean): Lease;
};

/** What is younger makes no room: how fast it comes or goes is not known yet. */
export const YOUNG_MS = 2000;
/**
 * What comes or goes at this pace makes no room either (1 MB/s, in bytes per millisecond): it will soon be through, and would
 * otherwise, near its end, lose all to each one that has just begun.
 */
const BRISK_BYTES_PER_MS = 1000;
export const isBrisk = (bytes: number, ms: number): boolean => bytes >= ms * BRISK_BYTES_PER_MS;

/**
 * Young messages make no room, so a few large ones that come together would keep out everybody else. A connection that holds
 * little (bytes, and share of the whole) therefore has a reserve (share of the whole) that is no part of what larger ones can have.
 */
export const SMALL_BYTES = 65_536;
const SMALL = 1 / 1024;
const RESERVE = 1 / 8;

/** All that waits, counted once. */
export type Memory = {
  readonly mostBytes: number;
  nextShare(): Share;
  /** For what nobody can evict, such as a copy that is compared; false where there is no room. */
  take(bytes: number): boolean;
  /** As `take`, for a request that was read: where there is no room, those that wait unread make it. */
  admit(bytes: number): boolean;
  /** Gives back what `take` and `admit` have taken. */
  give(bytes: number): void;
  /**
   * A whole message waits to be read, and holds so many bytes. `refuse` gives them back at once, and tells its client.
   * Returns what is to be called once it waits no more.
   */
  unread(bytes: number, refuse: () => void): () => void;
  /** So many bytes have come that nobody has taken room for, as an answer of the model, and are held no longer than needed. */
  passed(bytes: number): void;
  usedBytes(): number;
};

export const createShares = (mostBytes: number, now: () => number): (() => Share) =>
  createMemory(mostBytes, now).nextShare;

/**
 * The memory for messages that are not whole yet, that wait, or that their client does not take: `mostBytes` for all
 * connections together, and the reserve on top. Once it is used up, what the connection with the most has held for longest makes room, if that is more
 * than the new one would hold: no client can take it from the others by holding much of it for long.
 *
 * @param now milliseconds, never going back
 */
export const createMemory = (
  mostBytes: number,
  now: () => number,
  /** Is told of what is given back. */
  freed: (bytes: number) => void = () => undefined,
): Memory => {
  let left = mostBytes;
  const holders = new Set<Holder>();
  const reserve = Math.floor(mostBytes * RESERVE);
  const smallBytes = Math.min(SMALL_BYTES, mostBytes * SMALL);

  /** `left` is below zero while the reserve is in use. */
  const fits = (bytes: number, holder: Holder): boolean =>
    bytes <= (holder.bytes + bytes <= smallBytes ? left + reserve : left);

  /** Whether there is room now for what `holder` needs. */
  const makeRoom = (bytes: number, holder: Holder): boolean => {
    if (fits(bytes, holder)) return true;
    const time = now();
    /** Those of which nothing can be freed. */
    const firm = new Set<Holder>();
    while (!fits(bytes, holder)) {
      let most: Holder | undefined;
      for (const other of holders) {
        if (other.bytes <= Math.max(holder.bytes + bytes, most?.bytes ?? 0)) continue;
        if (!firm.has(other)) most = other;
      }
      if (most === undefined) return false;
      if (!evictFrom(most, time)) firm.add(most);
    }
    return true;
  };

  /** Those that wait to be read, the first one first. */
  const waiting = new Set<{ bytes: number; refuse(): void }>();
  /**
   * A request takes more once it was read (a string of two bytes about a hundred), so that many which come together would fill all
   * with what is not read yet, and each would be refused in turn: none could be answered. Those that came last make room,
   * but none where all of them would not make enough.
   */
  const refuseUnread = (bytes: number): boolean => {
    let room = left;
    for (const one of waiting) room += one.bytes;
    if (room < bytes) return false;
    for (const one of [...waiting].reverse()) {
      if (left >= bytes) break;
      waiting.delete(one);
      one.refuse();
    }
    return left >= bytes;
  };

  /** Stands for whoever asks for the first time. */
  const newcomer: Holder = { bytes: 0, leases: new Map() };
  const nextShare = (): Share => {
    const holder: Holder = { bytes: 0, leases: new Map() };
    const lease = (evict: (heldMs: number) => boolean): Lease => {
      let taken = 0;
      let ended = false;
      const give = (bytes: number): void => {
        if (bytes === 0) return;
        left += bytes;
        freed(bytes);
        holder.bytes -= bytes;
        taken -= bytes;
        if (taken === 0) holder.leases.delete(own);
        if (holder.bytes === 0) holders.delete(holder);
      };
      const release = (): void => give(taken);
      const own: Lease = {
        take: (bytes) => {
          if (ended) throw new RequestError("Cancelled", "the client closed the connection");
          if (bytes === 0) return;
          if (!makeRoom(bytes, holder)) {
            throw new RequestError("Overloaded", "too many large messages at once; try again", 1);
          }
          if (taken === 0) {
            holder.leases.set(own, { since: now(), evict });
            holders.add(holder);
          }
          left -= bytes;
          holder.bytes += bytes;
          taken += bytes;
        },
        give,
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
  return {
    mostBytes,
    nextShare,
    take(bytes) {
      if (!makeRoom(bytes, newcomer)) return false;
      left -= bytes;
      return true;
    },
    admit(bytes) {
      if (!makeRoom(bytes, newcomer) && !refuseUnread(bytes)) return false;
      left -= bytes;
      return true;
    },
    unread(bytes, refuse) {
      const one = { bytes, refuse };
      waiting.add(one);
      return () => waiting.delete(one);
    },
    give(bytes) {
      left += bytes;
      freed(bytes);
    },
    passed: freed,
    usedBytes: () => mostBytes - left,
  };
};

/** What the client of a message is told that waited to be read, and made room for one that was. */
export const crowdedOut = () =>
  new RequestError("Overloaded", "too many large requests at once, and this one was not read yet; try again", 1);

/** What the client of an unfinished message is told that made room. */
export const evicted = () =>
  new RequestError("Overloaded", "too many large messages at once, and this one was not whole yet; try again", 1);

/** `leases`: those that hold bytes, the oldest first. */
type Holder = { bytes: number; leases: Map<Lease, { since: number; evict: (heldMs: number) => boolean }> };

const evictFrom = ({ leases }: Holder, now: number): boolean => {
  for (const { since, evict } of [...leases.values()]) {
    const heldMs = now - since;
    if (heldMs < YOUNG_MS) return false;
    if (evict(heldMs)) return true;
  }
  return false;
};
