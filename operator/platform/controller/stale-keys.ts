import type { ObjectKey } from "../kube/objects.ts";

/** Keys whose last writes the caches have not seen. */
export type StaleKeys = {
  /** How long to leave the key alone, in milliseconds; undefined: no cache is behind, so it may be reconciled. */
  look(key: ObjectKey, behind: readonly string[]): number | undefined;
};

/** A watch takes a few milliseconds, and what it brings makes the key due sooner than the delay does. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;
/** Longer than a busy API server's watch is late. */
const COMPLAINT_MS = 10_000;

/** @param complain told of keys that have waited long, once for all of them and every 10 s at most */
export const createStaleKeys = (
  now: () => number,
  complain: (what: { kinds: readonly string[]; objects: number; seconds: number }) => void,
): StaleKeys => {
  const waiting = new Map<string, { since: number; tries: number }>();
  let complainedAt = Number.NEGATIVE_INFINITY;
  return {
    look({ namespace, name }, behind) {
      if (behind.length === 0) {
        if (waiting.size > 0) waiting.delete(`${namespace}/${name}`);
        return undefined;
      }
      const id = `${namespace}/${name}`;
      const time = now();
      const { since, tries } = waiting.get(id) ?? { since: time, tries: 0 };
      waiting.set(id, { since, tries: tries + 1 });
      if (time - since >= COMPLAINT_MS && time - complainedAt >= COMPLAINT_MS) {
        complainedAt = time;
        complain({ kinds: behind, objects: waiting.size, seconds: Math.round((time - since) / 1000) });
      }
      return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** tries);
    },
  };
};
