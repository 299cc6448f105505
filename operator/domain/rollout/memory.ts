/** The evidence of a rollout as text, which its ModelRollout keeps for the next leader. Pure. */
import { deserialize, serialize } from "node:v8";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Counting, Totals } from "./counts.ts";
import type { Evidence } from "./evidence/evidence.ts";
import { isKept } from "./memory-shape.ts";

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
/** The field's bound, in characters. */
const MOST_CHARACTERS = 131_072;
/** Packing takes milliseconds: what cannot fit is not tried. Counts of pods, each with its histogram, and pods of an interval. */
const MOST_COUNTS = 1_500;
const MOST_DEVIATIONS = 10_000;

/**
 * Some 30 kB. What can be made anew from the rest, the noise and its transitions, is left out; so is, where it is too large, what the
 * routers had counted last (the next leader begins with what it finds), and then what the pods differed by in the last minutes.
 * Undefined where even that is too large: then what was written down before holds.
 */
export const remember = (kept: Kept): string | undefined => {
  const bare = withoutKnown(kept);
  const counted = { ...bare, counting: undefined };
  const forms = [
    ...(countsIn(kept) > MOST_COUNTS || deviationsIn(kept) > MOST_DEVIATIONS ? [] : [bare]),
    ...(deviationsIn(kept) > MOST_DEVIATIONS ? [] : [counted]),
    withoutRecent(counted),
  ];
  for (const form of forms) {
    const text = FORM + gzipSync(serialize(form)).toString("base64");
    if (text.length <= MOST_CHARACTERS) return text;
  }
  return undefined;
};

const withoutKnown = (kept: Kept): Kept => {
  const { latency } = kept.evidence;
  if (latency === undefined) return kept;
  const { known: _, ...bare } = latency;
  return { ...kept, evidence: { ...kept.evidence, latency: bare } };
};

const withoutRecent = (kept: Kept): Kept => {
  const { latency } = kept.evidence;
  if (latency === undefined) return kept;
  const dispersion = { ...latency.dispersion, recent: [] };
  return { ...kept, evidence: { ...kept.evidence, latency: { ...latency, dispersion } } };
};

const countsIn = ({ counting }: Kept): number =>
  Object.values(counting?.known ?? {})
    .flatMap(({ revisions }) => Object.values(revisions))
    .reduce((sum, pods) => sum + Object.keys(pods).length, 0);

const deviationsIn = ({ evidence: { latency } }: Kept): number =>
  (latency?.dispersion.recent ?? []).reduce((sum, pods) => sum + Object.keys(pods).length, 0);

/** Undefined where it is of another form, of another canary or analysis, or damaged: then the evidence begins anew. */
export const recall = (text: string | undefined, canary: string, analysis: string): Kept | undefined => {
  if (text?.startsWith(FORM) !== true || text.length > MOST_CHARACTERS) return undefined;
  try {
    const packed = Buffer.from(text.slice(FORM.length), "base64");
    const kept: Kept = deserialize(gunzipSync(packed, { maxOutputLength: MOST_BYTES }));
    // whoever may write the record may write this
    return isKept(kept) && kept.canary === canary && kept.analysis === analysis ? kept : undefined;
  } catch {
    return undefined;
  }
};
