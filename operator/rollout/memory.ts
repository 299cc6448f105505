/** The evidence of a rollout as text, which its ModelRollout keeps for the next leader. Pure. */
import { deserialize, serialize } from "node:v8";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Counting, Totals } from "./counts.ts";
import type { Evidence } from "./evidence/evidence.ts";

export type Kept = {
  canary: string;
  /** Of the analysis: evidence by another one is none. */
  analysis: string;
  begunAt: number;
  /** Undefined within the warm-up. */
  counting: Counting | undefined;
  countedAt: number;
  evidence: Evidence;
  totals: Totals;
  /** Since the weight is as it is. */
  step: { weight: number; totals: Totals };
  /** What tells, requests of the canary or copies of requests, in a second, of late. */
  perSecond: number;
};

/** Changes with the form of `Kept`: what another version has written is not read. */
const FORM = "2:";
const MOST_BYTES = 1024 ** 2;

/** Some 30 kB. What can be made anew from the rest, the noise and its transitions, is left out. */
export const remember = (kept: Kept): string => {
  const { latency } = kept.evidence;
  const { known: _, ...bare } = latency ?? {};
  const evidence = latency === undefined ? kept.evidence : { ...kept.evidence, latency: bare };
  return FORM + gzipSync(serialize({ ...kept, evidence })).toString("base64");
};

/** Undefined where it is of another form, of another canary or analysis, or damaged: then the evidence begins anew. */
export const recall = (text: string | undefined, canary: string, analysis: string): Kept | undefined => {
  if (text?.startsWith(FORM) !== true) return undefined;
  try {
    const packed = Buffer.from(text.slice(FORM.length), "base64");
    const kept: Kept = deserialize(gunzipSync(packed, { maxOutputLength: MOST_BYTES }));
    return kept.canary === canary && kept.analysis === analysis ? kept : undefined;
  } catch {
    return undefined;
  }
};
