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

/** @param now milliseconds, never going back */
export const createPlaces = (most: number, now: () => number): Places => {
  const mostOfOne = Math.ceil(most * SHARE_OF_ONE);
  const addresses = new Map<Guest, string>();
  const counts = new Map<string, number>();
  /** Of one address, or of all: those that were idle when somebody looked, the one that has been for longest last. */
  let found: { guest: Guest; since: number }[] = [];
  let foundOf: string | undefined;
  let lookedInVainAt = Number.NEGATIVE_INFINITY;

  const remove = (guest: Guest): void => {
    const address = addresses.get(guest);
    if (address === undefined) return;
    addresses.delete(guest);
    const count = (counts.get(address) ?? 0) - 1;
    if (count > 0) counts.set(address, count);
    else counts.delete(address);
  };

  const look = (of: string | undefined): void => {
    foundOf = of;
    found = [];
    for (const [guest, address] of addresses) {
      const since = of === undefined || of === address ? guest.idleSince() : undefined;
      if (since !== undefined) found.push({ guest, since });
    }
    found.sort((one, other) => other.since - one.since);
    found = found.slice(-FOUND_AT_ONCE);
  };

  /** The one that has been idle for longest, if it still is. */
  const nextFound = (): Guest | undefined => {
    for (let one = found.pop(); one !== undefined; one = found.pop())
      if (addresses.has(one.guest) && one.guest.idleSince() === one.since) return one.guest;
    return undefined;
  };

  const makeRoom = (of: string | undefined): boolean => {
    let guest = of === foundOf ? nextFound() : undefined;
    if (guest === undefined) {
      if (of === foundOf && now() - lookedInVainAt < LOOK_AGAIN_MS) return false;
      look(of);
      guest = nextFound();
    }
    if (guest === undefined) {
      lookedInVainAt = now();
      return false;
    }
    remove(guest);
    guest.destroy();
    return true;
  };

  return {
    admit(address) {
      if ((counts.get(address) ?? 0) >= mostOfOne) return makeRoom(address);
      return addresses.size < most || makeRoom(undefined);
    },
    add(guest, address) {
      addresses.set(guest, address);
      counts.set(address, (counts.get(address) ?? 0) + 1);
    },
    remove,
    size: () => addresses.size,
  };
};
