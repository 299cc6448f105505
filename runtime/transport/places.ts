/**
 * The places for connections at a port. Where all are taken, the connection that has said nothing for longest makes room for
 * the one that comes: whoever only holds connections keeps nobody out.
 */
export type Guest = {
  /** Since when it has been owed nothing and has said nothing; undefined while it carries a request, or a part of one. */
  idleSince(): number | undefined;
  destroy(): void;
};

export type Places = {
  /** Whether there is a place for one more of this address. */
  admit(address: string): boolean;
  add(guest: Guest, address: string): void;
  remove(guest: Guest): void;
  size(): number;
};

/** One address may have so many of all: behind it may be one client, or a gateway with all of them. */
const SHARE_OF_ONE = 3 / 4;
/** So many are looked for at once, so that a flood of connections costs one look at all of them for each so many. */
const FOUND_AT_ONCE = 64;
/** Where none is idle, nobody looks again for so long. */
const LOOK_AGAIN_MS = 100;

type State = {
  readonly most: number;
  readonly mostOfOne: number;
  readonly now: () => number;
  readonly addresses: Map<Guest, string>;
  /** How many there are of each address. */
  readonly counts: Map<string, number>;
  /** Of the address `foundOf`, or of all: those that were idle when somebody looked, the one that has been for longest last. */
  found: { guest: Guest; since: number }[];
  foundOf: string | undefined;
  lookedInVainAt: number;
};

/** @param now milliseconds, never going back */
export const createPlaces = (most: number, now: () => number): Places => {
  const state: State = {
    ...{ most, now },
    mostOfOne: Math.ceil(most * SHARE_OF_ONE),
    addresses: new Map(),
    counts: new Map(),
    found: [],
    foundOf: undefined,
    lookedInVainAt: Number.NEGATIVE_INFINITY,
  };
  return {
    admit: (address) => admit(state, address),
    add: (guest, address) => add(state, guest, address),
    remove: (guest) => remove(state, guest),
    size: () => state.addresses.size,
  };
};

const admit = (state: State, address: string): boolean => {
  if ((state.counts.get(address) ?? 0) >= state.mostOfOne) return makeRoom(state, address);
  return state.addresses.size < state.most || makeRoom(state, undefined);
};

const add = ({ addresses, counts }: State, guest: Guest, address: string): void => {
  addresses.set(guest, address);
  counts.set(address, (counts.get(address) ?? 0) + 1);
};

const remove = ({ addresses, counts }: State, guest: Guest): void => {
  const address = addresses.get(guest);
  if (address === undefined) return;
  addresses.delete(guest);
  const count = (counts.get(address) ?? 0) - 1;
  if (count > 0) counts.set(address, count);
  else counts.delete(address);
};

/** Ends the connection that has been idle for longest, of one address or of all; false where none is. */
const makeRoom = (state: State, of: string | undefined): boolean => {
  let guest = of === state.foundOf ? nextFound(state) : undefined;
  if (guest === undefined) {
    if (of === state.foundOf && state.now() - state.lookedInVainAt < LOOK_AGAIN_MS) return false;
    look(state, of);
    guest = nextFound(state);
  }
  if (guest === undefined) {
    state.lookedInVainAt = state.now();
    return false;
  }
  remove(state, guest);
  guest.destroy();
  return true;
};

const look = (state: State, of: string | undefined): void => {
  const found: State["found"] = [];
  for (const [guest, address] of state.addresses) {
    const since = of === undefined || of === address ? guest.idleSince() : undefined;
    if (since !== undefined) found.push({ guest, since });
  }
  found.sort((one, other) => other.since - one.since);
  state.foundOf = of;
  state.found = found.slice(-FOUND_AT_ONCE);
};

/** The one that has been idle for longest, if it still is. */
const nextFound = ({ addresses, found }: State): Guest | undefined => {
  for (let one = found.pop(); one !== undefined; one = found.pop())
    if (addresses.has(one.guest) && one.guest.idleSince() === one.since) return one.guest;
  return undefined;
};
