import { estimate } from "./cost.ts";
import { type Policy, shareOut } from "./dispatch.ts";
import type { Group } from "./queue.ts";

/** A run's part that may be spent on waiting for those who come back. */
const RUN_SHARE = 0.1;
/**
 * A timer takes at least 1 ms; what may be held for less is not held. To hold it for two or three turns of the event loop
 * was tried with a 64-128-128-10 MLP and 8 and 32 clients: batches twice as large, but the shard stood still while
 * answers were written, and neither the rate nor the processor time was better.
 */
const SHORTEST_TIMER_MS = 1;
const CROWD = 2.5;
/** A crowd that grew is believed sooner than one that shrank: a hold in vain costs less than fragments. */
const GROWING = 0.5;
const SHRINKING = 0.25;

export const noteArrival = ({ crowd, items }: Group): void => {
  crowd.peak = Math.max(crowd.peak, items + crowd.running);
};

/** A run of so many items, taken from what waited, begins. */
export const noteStart = ({ crowd, items }: Group, started: number): void => {
  const { peak, heldSince } = crowd;
  crowd.usual += (peak > crowd.usual ? GROWING : SHRINKING) * (peak - crowd.usual);
  // whoever was waited for in vain has gone
  if (heldSince !== undefined) crowd.usual = Math.min(crowd.usual, peak);
  crowd.heldSince = undefined;
  crowd.running += started;
  crowd.peak = items + crowd.running;
};

export const noteEnd = ({ crowd }: Group, ended: number): void => {
  crowd.running -= ended;
};

/** Until when what waits is held; undefined: it is not. */
export const hold = (group: Group, policy: Policy, shards: number, now: number): number | undefined => {
  const { cost, crowd, items } = group;
  if (crowd.usual < CROWD || !cost.apart) return undefined;
  // where the crowd needs several batches they should be alike: 4 and 4 of 8, not 7 and the last one long after
  const parts = Math.max(shareOut(cost, policy, crowd.usual, shards), Math.ceil(Math.round(crowd.usual) / group.size));
  const wanted = Math.min(group.size, Math.round(crowd.usual / parts));
  const longest = Math.min(policy.hopMs + cost.a, RUN_SHARE * estimate(cost, wanted));
  if (items >= wanted || longest < SHORTEST_TIMER_MS) {
    crowd.heldSince = undefined;
    return undefined;
  }
  crowd.heldSince ??= now;
  const until = crowd.heldSince + longest;
  return now < until ? until : undefined;
};
