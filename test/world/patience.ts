/**
 * How long tests wait, for all of them in one place. Every wait is for something that happens; what is here only ends a test
 * in which it never does. So the bounds are far above what a quiet machine needs, and cost a test that passes nothing.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

/** For what processes on this machine do: what takes 2 s by itself takes a minute on cores that ten others use as well. */
export const PATIENCE_MS = 120_000;

/** For what a cluster does, in seconds: its own periods (probes, back-off, leases) come on top, a minute or two of them. */
export const CLUSTER_PATIENCE_S = 600;

/** Between two looks; the longer one costs the cluster less. */
const LOOK_MS = 10;
const CLUSTER_LOOK_MS = 300;

/**
 * Resolves once `holds` is true.
 * @param what is waited for, for the message
 * @param seen what there is instead, for the message
 */
export const until = (what: string, holds: Holds, seen?: () => unknown): Promise<void> =>
  look(what, holds, seen, PATIENCE_MS, LOOK_MS);

/** The same of a cluster. */
export const eventually = (what: string, holds: Holds, seen?: () => unknown): Promise<void> =>
  look(what, holds, seen, CLUSTER_PATIENCE_S * 1000, CLUSTER_LOOK_MS);

type Holds = () => boolean | Promise<boolean>;

const look = async (
  what: string,
  holds: Holds,
  seen: () => unknown = () => undefined,
  withinMs: number,
  everyMs: number,
) => {
  for (const end = performance.now() + withinMs; !(await holds()); await sleep(everyMs)) {
    if (performance.now() > end) throw tooLate(what, await seen(), withinMs);
  }
};

export const tooLate = (what: string, seen: unknown, withinMs: number): Error =>
  new Error(
    `waited ${withinMs / 1000} s in vain: ${what}${seen === undefined ? "" : `; last seen: ${inspect(seen, { depth: 8 })}`}`,
  );
