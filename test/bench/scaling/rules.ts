/** A rule of scaling, as the simulation asks it. */

import type { Signals } from "../../../operator/domain/scaling/signals.ts";

/** What a rule may see, once a second. */
export type View = Signals & {
  /** Seconds since the beginning. */
  now: number;
  /** Pods that there are, also those that wait for a device. */
  pods: number;
  /** The share of the last second that ready pods were at work, 0 to 1, on average. */
  busy: number;
  /** How long starts took that have ended since the look before, in seconds. */
  started: readonly number[];
};

/** Pods wanted; undefined: as before. */
export type Rule = (view: View) => number | undefined;

/** Requests that a pod works on at a time: what people tell a rule that goes by requests under way. */
export type RuleOptions = { slots: number; most: number };

export type MakeRule = (options: RuleOptions) => Rule;
