import type { Model } from "../index.ts";
import { type Checks, newChecks } from "./check-state.ts";
import type { Clock } from "./clock.ts";
import { newCost } from "./cost.ts";
import { newCounters } from "./counters.ts";
import { type Crashers, createCrashers } from "./crashers.ts";
import type { Policy } from "./dispatch.ts";
import { type Groups, newGroups } from "./groups.ts";
import { type Live, newLive } from "./live.ts";
import { newProbes, type Probes } from "./probes.ts";
import { type Group, newGroup } from "./queue.ts";
import type { Random } from "./samples.ts";
import { newSharing, type Sharing } from "./sharing.ts";
import type { SchedulerOptions } from "./types.ts";
import { newWorkers, type Workers } from "./workers.ts";

/** What the parts of one scheduler share. */
export type State = {
  readonly model: Model;
  readonly options: SchedulerOptions;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly live: Live;
  readonly workers: Workers;
  readonly groups: Groups;
  readonly probes: Probes;
  readonly crashers: Crashers;
  readonly sharing: Sharing;
  readonly checks: Checks;
  readonly random: Random;
  /** Batching has ended for good: why, and what to do. */
  readonly onEnded: (message: string) => void;
  /** What failed together waits here and runs apart. */
  readonly retries: Group;
  /** Runs. */
  running: number;
  /** What an item costs in full batches, in milliseconds; 0 before the first run. */
  perItemMs: number;
  /** The group that ran last. */
  lastGroup: Group | undefined;
};

const HOP_MS = 0.15;

export const newState = (
  model: Model,
  options: SchedulerOptions,
  clock: Clock,
  shapesKnown: boolean,
  beside: Pick<State, "random" | "onEnded">,
): State => {
  const policy: Policy = {
    maxBatch: options.maxBatchSize,
    maxDelayMs: options.maxDelayMs,
    longestRunMs: options.requestTimeoutMs / 4,
    hopMs: options.hopMs ?? HOP_MS,
  };
  return {
    model,
    options,
    policy,
    clock,
    live: newLive(newCounters(), options.requestTimeoutMs, options.memory),
    workers: newWorkers(),
    groups: newGroups(policy),
    probes: newProbes(),
    crashers: createCrashers(),
    sharing: newSharing(model, options.maxBatchSize, shapesKnown),
    checks: newChecks(),
    ...beside,
    retries: newGroup("", false, newCost()),
    running: 0,
    perItemMs: 0,
    lastGroup: undefined,
  };
};
