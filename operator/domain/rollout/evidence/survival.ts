/**
 * What a change of speed means for the requests that are slower than a boundary, from the stable version's own distribution.
 * The survival S(b) is the share of requests that take longer than b.
 */
import { softplus } from "./logs.ts";

/** Effects on the log ratio are cut here: nothing that is seen in an interval tells e^8 from more. */
const MOST = 8;
const LEAST_SHARE = 1e-5;

/** logit S at each edge, of counts per bucket: one bucket more than edges, the last of them beyond the last edge. */
export const survivalLogits = (buckets: readonly number[]): number[] => {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  let below = 0;
  return buckets.slice(0, -1).map((count) => {
    below += count;
    const survival = Math.max(1 - below / total, LEAST_SHARE);
    return Math.log(survival / Math.max(1 - survival, LEAST_SHARE));
  });
};

/**
 * For requests slower than the edge number `boundary`: the log ratio of their share if all times are e^`effect` times as long.
 * logit S is taken as linear in ln b between edges, and on beyond the first and the last.
 */
export const slowerBy = (logEdges: readonly number[], logits: readonly number[], boundary: number) => {
  const at = logEdges[boundary] ?? 0;
  const before = logShare(logits[boundary] ?? 0);
  return (effect: number): number => {
    const shifted = at - effect;
    let edge = 0;
    while (edge < logEdges.length - 2 && (logEdges[edge + 1] ?? 0) < shifted) edge++;
    const [left = 0, right = 0] = [logEdges[edge], logEdges[edge + 1]];
    const [low = 0, high = 0] = [logits[edge], logits[edge + 1]];
    const logit = low + ((high - low) * (shifted - left)) / (right - left);
    return Math.min(MOST, Math.max(-MOST, logShare(logit) - before));
  };
};

/** ln of the share whose logit this is. */
const logShare = (logit: number): number => -softplus(-logit);
