/** What a router counts of 100 requests a second: by chance, and by the same chance each time. */
import { LATENCY_EDGES, type Traffic } from "../../operator/api/v1alpha1/index.ts";
import type { PodCounts as Counts, RouterCounts } from "../../operator/domain/rollout/router-counts.ts";
import { judge } from "../../runtime/router/shadow/judge.ts";
import { readJsonAnswer } from "../../runtime/router/shadow/read-answer.ts";
import { randomFrom } from "../world/random.ts";

/**
 * `errors`: the share of requests that fail; `slower`: by which factor the others are; `disagrees`: the share of its answers that differ
 * from stable's; `nan`: the share in which NaN stands where stable has a number.
 */
export type Quality = { errors: number; slower: number; disagrees?: number; nan?: number };

const answer = (score: string) => ({
  outputs: readJsonAnswer(
    Buffer.from(`{"outputs":[{"name":"score","datatype":"FP32","shape":[1],"data":[${score}]}]}`),
    undefined,
  ),
});
/** What the routers make of such a pair. */
const NAN = judge(answer("0.5"), answer("NaN"), new Map());

const PER_SECOND = 100;
/** Of latencies in seconds: their median, and the standard deviation of their logarithm. */
const MEDIAN = 0.012;
const SPREAD = 0.5;
const PODS = ["one", "two"];
/** Of the copies, those that go to stable again; and once an answer of the canary has lost its numbers. */
const SELF_SHARE = 0.1;
const SUSPECT_SHARE = 0.5;

export const createTraffic = (seed = 1) => {
  const random = randomFrom(seed);
  const counted = new Map<string, Record<string, Counts>>();
  const pairs = { canary: { compared: 0, disagreed: 0 }, self: { compared: 0, disagreed: 0 } };
  const losses = { canary: { compared: 0, lost: 0 }, self: { compared: 0, lost: 0 } };
  /** The canary of which that is so. */
  let suspect: string | undefined;
  let incomparable = 0;
  let last: number | undefined;
  // Box and Muller's
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

  const answer = (counts: Counts, { errors, slower }: Quality): Counts => {
    const { buckets, requests } = counts;
    if (random() < errors) return { buckets, requests: requests + 1, errors: counts.errors + 1 };
    const seconds = MEDIAN * slower * Math.exp(SPREAD * normal());
    const found = LATENCY_EDGES.findIndex((edge) => seconds <= edge);
    const bucket = found < 0 ? LATENCY_EDGES.length : found;
    return {
      requests: requests + 1,
      errors: counts.errors,
      buckets: buckets.map((count, i) => (i === bucket ? count + 1 : count)),
    };
  };
  const none = (): Counts => ({ requests: 0, errors: 0, buckets: LATENCY_EDGES.map(() => 0).concat(0) });

  return {
    counts(now: number, table: Traffic | undefined, quality: (revision: string) => Quality): RouterCounts[] {
      // a longer gap says no more than its last minutes
      const seconds = Math.min((now - (last ?? now)) / 1000, 120);
      last = now;
      const routes = table?.routes ?? [];
      for (let i = Math.round(seconds * PER_SECOND); i > 0; i--) {
        const canary = routes.find(({ role }) => role === "canary");
        const isCanary = canary !== undefined && random() * 100 < canary.weight;
        const revision = (isCanary ? canary : routes.find(({ role }) => role === "stable"))?.revision;
        if (revision === undefined) continue;
        const pods = counted.get(revision) ?? {};
        const pod = PODS[Math.floor(random() * PODS.length)] ?? "one";
        counted.set(revision, { ...pods, [pod]: answer(pods[pod] ?? none(), quality(revision)) });
        if (canary === undefined || isCanary || random() * 100 >= (canary.shadow ?? 0)) continue;
        const isSuspect = suspect === canary.revision;
        const isSelf = random() < (isSuspect ? SUSPECT_SHARE : SELF_SHARE);
        const compared = pairs[isSelf ? "self" : "canary"];
        const lost = losses[isSelf ? "self" : "canary"];
        const { disagrees = 0, nan = 0 } = quality(isSelf ? revision : canary.revision);
        const hasNaN = nan > 0 && random() < nan;
        if (hasNaN && NAN.kind === "incomparable") {
          incomparable += 1;
          continue;
        }
        if (isSuspect) lost.compared += 1;
        if (hasNaN && NAN.kind === "disagrees" && NAN.isLost) {
          if (isSuspect) lost.lost += 1;
          suspect = canary.revision;
        }
        compared.compared += 1;
        if (hasNaN ? NAN.kind === "disagrees" : random() < disagrees) compared.disagreed += 1;
      }
      const shadow = structuredClone({ ...pairs, losses, failed: 0, incomparable });
      return [{ id: "router", startedAt: 0, revisions: Object.fromEntries(counted), shadow }];
    },
  };
};
