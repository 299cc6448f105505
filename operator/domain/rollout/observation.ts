/** What the evidence of a rollout is asked, and what it answers. */

import type { ObjectKey } from "../../platform/kube/objects.ts";
import type { Analysis } from "./evidence/evidence.ts";
import type { Silence } from "./evidence/silence.ts";
import type { Verdict } from "./evidence/verdict.ts";

/** A rollout whose canary gets requests. */
export type Trial = {
  stable: string;
  canary: string;
  /** Of the canary, in percent. */
  weight: number;
  analysis: Analysis;
  /** Evidence by another one is none: it changes with whatever the evidence is about. */
  analysisKey: string;
};

export type Observation = {
  /** Undefined until an interval was counted. */
  verdict: Verdict | undefined;
  isSplitRight: boolean;
  /** Intervals in a row in which a revision's requests have all failed. */
  silent: Silence;
  words: string;
  /** What is to be kept for the next leader, where that is due. */
  memory: string | undefined;
  againAfterMs: number;
};

export type Observer = {
  /**
   * Undefined: no canary gets requests, and what was known is forgotten.
   * @param memory what was last written down of this rollout
   */
  look(key: ObjectKey, trial: Trial | undefined, now: number, memory?: string): Promise<Observation | undefined>;
  /** Requests a second at the routers, counted over a few seconds; undefined where they do not answer. */
  rate(key: ObjectKey, now: number): Promise<number | undefined>;
};
