import { estimate, newCost, observe } from "./cost.ts";
import { gains, type Policy, usefulSize } from "./dispatch.ts";
import type { Shape } from "./keys.ts";
import type { Measured } from "./proof.ts";
import { type Group, newGroup } from "./queue.ts";

/** The shapes that were seen, and what is known of each: what its runs cost and how many items a batch should have. */
export type Groups = {
  readonly policy: Policy;
  readonly byKey: Map<string, Group>;
  /** What a proof measured, for the shapes it was made with. */
  seed: { dimensions: string; measured: readonly Measured[] } | undefined;
};

/** Shapes that are remembered, at most: clients choose shapes. */
const MAX_GROUPS = 256;
/**
 * What is not done at present is tried again this seldom, and never for more than about a hundredth of the time: a batch
 * where batching gains nothing; and where it gains, single requests, or what they cost would only be known from the first
 * ones, which are slow. A text recogniser (12.5 ms for each item, in batches 16) was batched for ever for that.
 */
const RETEST_MS = 10_000;
const RETEST_RUNS = 200;
const RETEST_SIZE = 4;
const RETEST_SINGLES = 4;

export const newGroups = (policy: Policy): Groups => ({ policy, byKey: new Map(), seed: undefined });

export const groupOf = (groups: Groups, { key, joins, dimensions }: Shape, now: number): Group => {
  let group = groups.byKey.get(key);
  if (group === undefined) {
    if (groups.byKey.size >= MAX_GROUPS) forgetOne(groups);
    group = newGroup(key, joins, newCost());
    if (joins && groups.seed?.dimensions === dimensions) {
      // twice, so that the first real run of a size does not weigh as much as the proof's best of two
      for (const { items, ms } of groups.seed.measured) for (let i = 0; i < 2; i++) observe(group.cost, items, ms);
      group.retestAt = retestAt(group, now);
    }
    resize(groups, group, now);
    groups.byKey.set(key, group);
  }
  group.usedAt = now;
  return group;
};

/** Of the shapes that nothing waits or runs for, the one that was not used for the longest. */
const forgetOne = ({ byKey }: Groups): void => {
  let oldest: Group | undefined;
  for (const group of byKey.values()) {
    const inUse = group.requests > 0 || group.running > 0;
    if (!inUse && (oldest === undefined || group.usedAt < oldest.usedAt)) oldest = group;
  }
  if (oldest !== undefined) byKey.delete(oldest.key);
};

/** A run of so many items took so long. */
export const learn = (groups: Groups, group: Group, items: number, runMs: number, now: number): void => {
  observe(group.cost, items, runMs);
  resize(groups, group, now);
};

const resize = ({ policy }: Groups, group: Group, now: number): void => {
  if (!group.joins || group.trouble !== "") return;
  const gaining = gains(group.cost, policy, group.gaining);
  if (gaining !== group.gaining) {
    group.retests = 0;
    group.retestAt = retestAt(group, now);
  }
  group.gaining = gaining;
  group.size = gaining ? usefulSize(group.cost, policy) : 1;
};

/** How many items the next run should have, to see what that costs now; undefined where nothing is to be tried. */
export const retestSize = (group: Group, now: number): number | undefined => {
  if (!group.joins || group.requests < 2 || now < group.retestAt) return undefined;
  return group.gaining ? 1 : RETEST_SIZE;
};

/** Such a run begins. */
export const noteRetest = (group: Group, now: number): void => {
  group.retests += 1;
  if (group.gaining && group.retests < RETEST_SINGLES) return;
  group.retests = 0;
  group.retestAt = retestAt(group, now);
};

export const retestAt = ({ cost }: Group, now: number): number =>
  now + Math.max(RETEST_MS, RETEST_RUNS * estimate(cost, RETEST_SIZE));
