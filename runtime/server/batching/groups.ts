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
/** While batching gains nothing it is tried again this seldom, and never for more than about a hundredth of the time. */
const RETEST_MS = 10_000;
const RETEST_RUNS = 200;
export const RETEST_SIZE = 4;

export const newGroups = (policy: Policy): Groups => ({ policy, byKey: new Map(), seed: undefined });

export const groupOf = (groups: Groups, { key, joins, dimensions }: Shape, now: number): Group => {
  let group = groups.byKey.get(key);
  if (group === undefined) {
    if (groups.byKey.size >= MAX_GROUPS) forgetOne(groups);
    group = newGroup(key, joins, newCost());
    if (joins && groups.seed?.dimensions === dimensions) {
      // twice, so that the first real run of a size does not weigh as much as the proof's best of two
      for (const { items, ms } of groups.seed.measured) for (let i = 0; i < 2; i++) observe(group.cost, items, ms);
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
  if (!gaining && group.gaining) group.retestAt = retestAt(group, now);
  group.gaining = gaining;
  group.size = gaining ? usefulSize(group.cost, policy) : 1;
};

/** Whether to make one batch to see what it costs now. */
export const isRetestDue = (group: Group, now: number): boolean =>
  group.joins && !group.gaining && group.requests > 1 && now >= group.retestAt;

export const retestAt = ({ cost }: Group, now: number): number =>
  now + Math.max(RETEST_MS, RETEST_RUNS * estimate(cost, RETEST_SIZE));
