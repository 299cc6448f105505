import { RequestError } from "../errors/request-error.ts";
import { type Account, type Holder, makeRoom, newAccount, newHolder, refuseUnread, type Unread } from "./room.ts";

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
  const account = newAccount(mostBytes, now, freed);
  return {
    mostBytes,
    nextShare() {
      const holder = newHolder();
      return { lease: (evict) => newLease(account, holder, evict) };
    },
    take(bytes) {
      if (!makeRoom(account, bytes, account.newcomer)) return false;
      account.left -= bytes;
      return true;
    },
    admit(bytes) {
      if (!makeRoom(account, bytes, account.newcomer) && !refuseUnread(account, bytes)) return false;
      account.left -= bytes;
      return true;
    },
    unread(bytes, refuse) {
      const one: Unread = { bytes, refuse };
      account.waiting.add(one);
      return () => account.waiting.delete(one);
    },
    give(bytes) {
      account.left += bytes;
      freed(bytes);
    },
    passed: freed,
    usedBytes: () => mostBytes - account.left,
  };
};

/** A lease, and its state: one object, since each message has one. */
type Held = Lease & {
  readonly account: Account;
  readonly holder: Holder;
  readonly evict: (heldMs: number) => boolean;
  taken: number;
  hasEnded: boolean;
};

const newLease = (account: Account, holder: Holder, evict: (heldMs: number) => boolean): Lease => {
  const held: Held = {
    account,
    holder,
    evict,
    taken: 0,
    hasEnded: false,
    take: (bytes) => takeFor(held, bytes),
    give: (bytes) => giveBack(held, bytes),
    release: () => giveBack(held, held.taken),
    end: () => {
      giveBack(held, held.taken);
      held.hasEnded = true;
    },
  };
  return held;
};

const takeFor = (held: Held, bytes: number): void => {
  const { account, holder } = held;
  if (held.hasEnded) throw new RequestError("Cancelled", "the client closed the connection");
  if (bytes === 0) return;
  if (!makeRoom(account, bytes, holder)) {
    throw new RequestError("Overloaded", "too many large messages at once; try again", 1);
  }
  if (held.taken === 0) {
    holder.leases.set(held, { since: account.now(), evict: held.evict });
    account.holders.add(holder);
  }
  account.left -= bytes;
  holder.bytes += bytes;
  held.taken += bytes;
};

const giveBack = (held: Held, bytes: number): void => {
  const { account, holder } = held;
  if (bytes === 0) return;
  account.left += bytes;
  account.freed(bytes);
  holder.bytes -= bytes;
  held.taken -= bytes;
  if (held.taken === 0) holder.leases.delete(held);
  if (holder.bytes === 0) account.holders.delete(holder);
};

/** What the client of a message is told that waited to be read, and made room for one that was. */
export const crowdedOut = () =>
  new RequestError("Overloaded", "too many large requests at once, and this one was not read yet; try again", 1);

/** What the client of an unfinished message is told that made room. */
export const evicted = () =>
  new RequestError("Overloaded", "too many large messages at once, and this one was not whole yet; try again", 1);
