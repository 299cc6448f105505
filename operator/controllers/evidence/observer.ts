/**
 * Asks the routers every ten seconds what they have counted of a rollout, and keeps its evidence. Now and then it is written down,
 * for the next leader: what was counted since then is counted by that one, from the routers' own numbers.
 */
import { addTo, countOn, fitsWeight, NO_TOTALS, startCounting } from "../../domain/rollout/counts.ts";
import { requestsOf } from "../../domain/rollout/evidence/arms.ts";
import { decide, observe, startEvidence } from "../../domain/rollout/evidence/evidence.ts";
import { NO_SILENCE } from "../../domain/rollout/evidence/silence.ts";
import { METRICS, type Verdict } from "../../domain/rollout/evidence/verdict.ts";
import { type Kept, recall, remember } from "../../domain/rollout/memory.ts";
import type { Observation, Observer, Trial } from "../../domain/rollout/observation.ts";
import type { RouterCounts } from "../../domain/rollout/router-counts.ts";
import { counted, judged, type Pace } from "../../domain/rollout/words.ts";
import { fullNameOf, type ObjectKey } from "../../platform/kube/objects.ts";

/** What the ready routers have counted for a ModelDeployment; those that do not answer are left out. */
export type AskCounts = (modelDeployment: ObjectKey) => Promise<RouterCounts[]>;

/** The evidence counts in intervals of this. */
const INTERVAL_MS = 10_000;
/** What the pods' first requests cost (connections, caches, just-in-time compilation) says nothing about the version. */
const WARM_UP_MS = 10_000;

/** A rate over more than this is no rate of now. */
const RATE_MS = 60_000;

/** The evidence is written down so often; what is lost of it costs time and no validity. */
const REMEMBER_MS = 30_000;

type ObserverState = {
  readonly ask: AskCounts;
  readonly trials: Map<string, Watched>;
  /** What was counted when somebody began to ask for a rate. */
  readonly rates: Map<string, { at: number; requests: number }>;
};

/** A trial whose evidence is kept. */
type Watched = { kept: Kept; rememberedAt: number };

export const createObserver = (ask: AskCounts): Observer => {
  const state: ObserverState = { ask, trials: new Map(), rates: new Map() };
  return {
    look: async (key, trial, now, memory) => {
      if (trial !== undefined) return await look(state, key, trial, now, memory);
      state.trials.delete(fullNameOf(key));
      return undefined;
    },
    rate: (key, now) => rate(state, key, now),
  };
};

const look = async (
  state: ObserverState,
  key: ObjectKey,
  trial: Trial,
  now: number,
  memory: string | undefined,
): Promise<Observation> => {
  const entry = watchedOf(state, key, trial, now, memory);
  const { kept } = entry;
  if (kept.step.weight !== trial.weight) kept.step = { weight: trial.weight, totals: NO_TOTALS };
  if (now >= dueAt(kept)) await count(kept, trial, await state.ask(key), now);
  const isDue = now - entry.rememberedAt >= REMEMBER_MS;
  if (isDue) entry.rememberedAt = now;
  return { ...report(kept, trial, now), memory: isDue ? remember(kept) : undefined };
};

/** What is known of the trial: by this process, or by the leader before it. */
const watchedOf = (
  { trials }: ObserverState,
  key: ObjectKey,
  trial: Trial,
  now: number,
  memory: string | undefined,
): Watched => {
  const { analysisKey, canary } = trial;
  const name = fullNameOf(key);
  const known = trials.get(name);
  if (known?.kept.canary === canary && known.kept.analysis === analysisKey) return known;
  const entry = { kept: recall(memory, canary, analysisKey) ?? begin(trial, now), rememberedAt: now };
  trials.set(name, entry);
  return entry;
};

const begin = (trial: Trial, now: number): Kept => ({
  canary: trial.canary,
  analysis: trial.analysisKey,
  begunAt: now,
  counting: undefined,
  countedAt: now,
  evidence: startEvidence(trial.analysis),
  totals: NO_TOTALS,
  step: { weight: trial.weight, totals: NO_TOTALS },
  perSecond: 0,
});

const count = async (kept: Kept, trial: Trial, counts: readonly RouterCounts[], now: number): Promise<void> => {
  if (kept.counting === undefined) {
    kept.counting = startCounting(now, counts);
    kept.countedAt = now;
    return;
  }
  const { counting, incomparable, interval } = countOn(kept.counting, counts, trial);
  // with a thousand pods each of the two takes milliseconds
  await new Promise((resolve) => setImmediate(resolve));
  const seconds = (now - kept.countedAt) / 1000;
  kept.counting = counting;
  kept.countedAt = now;
  kept.evidence = observe(kept.evidence, trial.analysis, interval);
  kept.totals = addTo(kept.totals, interval, incomparable);
  kept.step.totals = addTo(kept.step.totals, interval, incomparable);
  const asked = isShadowed(trial) ? interval.pairs.compared : requestsOf(interval.canary);
  kept.perSecond = asked / Math.max(seconds, 1);
};

const report = (kept: Kept, trial: Trial, now: number): Omit<Observation, "memory"> => {
  const { canary, pairs, stable } = kept.totals;
  const isCounted = canary.requests + stable.requests + pairs.compared > 0;
  const isWarm = isCounted || kept.countedAt > kept.begunAt + WARM_UP_MS;
  const verdict = isWarm ? decide(kept.evidence, trial.analysis) : undefined;
  return {
    verdict,
    isSplitRight: fitsWeight(kept.step.totals, trial.weight),
    silent: kept.evidence.silence ?? NO_SILENCE,
    words: inWords(kept, verdict, trial),
    againAfterMs: Math.max(100, dueAt(kept) - now),
  };
};

/** Requests a second, by two looks that are some seconds apart: undefined at the first. */
const rate = async ({ ask, rates }: ObserverState, key: ObjectKey, now: number): Promise<number | undefined> => {
  const name = fullNameOf(key);
  for (const [other, { at }] of rates) if (now - at > RATE_MS) rates.delete(other);
  const counts = await ask(key);
  if (counts.length === 0) return undefined;
  const requests = counts
    .flatMap(({ revisions }) => Object.values(revisions).flatMap((pods) => Object.values(pods)))
    .reduce((sum, one) => sum + one.requests, 0);
  const before = rates.get(name);
  if (before === undefined) {
    rates.set(name, { at: now, requests });
    return undefined;
  }
  if (now - before.at < 5000) return undefined;
  rates.delete(name);
  return Math.max(0, requests - before.requests) / ((now - before.at) / 1000);
};

/** Nothing but copies of requests tells. */
const isShadowed = ({ analysis }: Trial): boolean => analysis.errors === undefined && analysis.outputs !== undefined;

const inWords = (kept: Kept, verdict: Verdict | undefined, trial: Trial): string => {
  const { analysis } = trial;
  if (METRICS.every((metric) => analysis[metric] === undefined))
    return `the revisions are not compared: the rollout advances when its pods stay healthy for stepDuration.min; ${counted(kept.totals)}`;
  if (verdict === undefined) return "the evidence leaves out the first requests";
  return `${judged(verdict, kept.evidence.course, analysis.levels, paceOf(kept, trial))}; ${counted(kept.totals)}`;
};

const paceOf = ({ perSecond }: Kept, trial: Trial): Pace => ({
  perSecond,
  what: isShadowed(trial) ? "copies of requests" : "requests of the canary",
});

const dueAt = ({ begunAt, countedAt, counting }: Kept): number =>
  counting === undefined ? begunAt + WARM_UP_MS : countedAt + INTERVAL_MS;
