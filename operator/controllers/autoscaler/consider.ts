/** What one ModelDeployment wants by what is seen of it. It is not bounded by devices yet. */
import { type Decision, decide, remember, type ScalingSettings } from "../../domain/scaling/decide.ts";
import { boundsOf, type Entry } from "./entry.ts";
import type { Seen } from "./seen.ts";

/** @param isBlind some of its requests are not counted: nothing is taken away then */
export const consider = (
  entry: Entry,
  { all, each }: { all: Seen; each: readonly Seen[] },
  isBlind: boolean,
  now: number,
): Decision => {
  const before = entry.memory;
  const settings = { ...entry.subject.wish, ...boundsOf(entry) };
  const { decision, memory } = decide(before, all, settings, now / 1000);
  entry.memory = isBlind ? { ...memory, busyAt: now / 1000, wanted: Math.max(memory.wanted, before.wanted) } : memory;
  considerCanary(entry, each[1], settings, now);
  const isLess = isBlind && decision.wanted < before.wanted;
  return isLess ? { ...decision, wanted: before.wanted, uncapped: before.wanted } : decision;
};

const considerCanary = (entry: Entry, signals: Seen | undefined, settings: ScalingSettings, now: number): void => {
  const revision = entry.subject.revisions[1];
  if (revision === undefined || signals === undefined) {
    entry.canary = undefined;
    return;
  }
  const known = entry.canary?.revision === revision ? entry.canary.memory : undefined;
  // until its own server has told, it is taken to be like the one that serves
  const { curve, starts } = entry.memory;
  const before = known ?? { ...remember(now / 1000, 0), starts, curve };
  entry.canary = { revision, memory: decide(before, signals, { ...settings, min: 0 }, now / 1000).memory };
};
