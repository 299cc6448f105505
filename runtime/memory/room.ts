/** Who makes room where the memory for all is used up: the state of the account, and its rules. */

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

/** What one connection holds. `leases`: those that hold bytes, the oldest first. */
export type Holder = { bytes: number; leases: Map<object, { since: number; evict: (heldMs: number) => boolean }> };

export type Unread = { bytes: number; refuse(): void };

export type Account = {
  readonly mostBytes: number;
  /** Share of the whole that connections which hold at most `smallBytes` can have beside it. */
  readonly reserve: number;
  readonly smallBytes: number;
  /** Below zero while the reserve is in use. */
  left: number;
  /** Those that hold anything. */
  readonly holders: Set<Holder>;
  /** Stands for whoever asks for the first time. */
  readonly newcomer: Holder;
  /** Those that wait to be read, the first one first. */
  readonly waiting: Set<Unread>;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** Is told of what is given back. */
  readonly freed: (bytes: number) => void;
};

export const newAccount = (mostBytes: number, now: () => number, freed: (bytes: number) => void): Account => ({
  mostBytes,
  reserve: Math.floor(mostBytes * RESERVE),
  smallBytes: Math.min(SMALL_BYTES, mostBytes * SMALL),
  left: mostBytes,
  holders: new Set(),
  newcomer: newHolder(),
  waiting: new Set(),
  now,
  freed,
});

export const newHolder = (): Holder => ({ bytes: 0, leases: new Map() });

const fits = ({ left, reserve, smallBytes }: Account, bytes: number, holder: Holder): boolean =>
  bytes <= (holder.bytes + bytes <= smallBytes ? left + reserve : left);

/** Whether there is room now for what `holder` needs. */
export const makeRoom = (account: Account, bytes: number, holder: Holder): boolean => {
  if (fits(account, bytes, holder)) return true;
  const time = account.now();
  /** Those of which nothing can be freed. */
  const firm = new Set<Holder>();
  while (!fits(account, bytes, holder)) {
    let most: Holder | undefined;
    for (const other of account.holders) {
      if (other.bytes <= Math.max(holder.bytes + bytes, most?.bytes ?? 0)) continue;
      if (!firm.has(other)) most = other;
    }
    if (most === undefined) return false;
    if (!evictFrom(most, time)) firm.add(most);
  }
  return true;
};

const evictFrom = ({ leases }: Holder, now: number): boolean => {
  for (const { since, evict } of [...leases.values()]) {
    const heldMs = now - since;
    if (heldMs < YOUNG_MS) return false;
    if (evict(heldMs)) return true;
  }
  return false;
};

/**
 * A request takes more once it was read (a string of two bytes about a hundred), so that many which come together would fill all
 * with what is not read yet, and each would be refused in turn: none could be answered. Those that came last make room,
 * but none where all of them would not make enough.
 */
export const refuseUnread = (account: Account, bytes: number): boolean => {
  let room = account.left;
  for (const one of account.waiting) room += one.bytes;
  if (room < bytes) return false;
  for (const one of [...account.waiting].reverse()) {
    if (account.left >= bytes) break;
    account.waiting.delete(one);
    one.refuse();
  }
  return account.left >= bytes;
};
