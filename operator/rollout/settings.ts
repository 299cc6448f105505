/** What `spec.rollout` says, with what it leaves out. Pure. */
import { type ModelDeploymentSpec, parseDuration } from "../api/v1alpha1/index.ts";
import { ERROR_LIMITS } from "./evidence/errors.ts";
import { ANALYSIS, type Analysis } from "./evidence/evidence.ts";

export type RolloutSettings = {
  /** In percent; undefined: they follow from the traffic. */
  weights: readonly number[] | undefined;
  minMs: number;
  maxMs: number;
  onInconclusive: "hold" | "advance" | "rollback";
  isPaused: boolean;
  analysis: Analysis;
  /** Equal for equal analyses: a revision that one has rejected may be tried by another. */
  analysisKey: string;
};

/** Undefined where the strategy is another. */
export const rolloutSettings = ({ rollout }: Pick<ModelDeploymentSpec, "rollout">): RolloutSettings | undefined => {
  if (rollout?.strategy !== "canary") return undefined;
  const { errors, latency } = rollout.analysis ?? {};
  const maxIncrease = errors?.maxIncrease === undefined ? ERROR_LIMITS.maxIncrease : 1 + share(errors.maxIncrease);
  const floor = errors?.floor === undefined ? ERROR_LIMITS.floor : share(errors.floor);
  const limits = { maxIncrease, floor };
  const { latency: _, ...rest } = ANALYSIS;
  return {
    weights: rollout.steps?.map(({ weight }) => wholePercent(weight)),
    minMs: parseDuration(rollout.stepDuration?.min ?? "1m"),
    maxMs: parseDuration(rollout.stepDuration?.max ?? "1h"),
    onInconclusive: rollout.onInconclusive ?? "hold",
    isPaused: rollout.paused === true,
    analysis: latency?.mode === "off" ? { ...rest, errors: limits } : { ...ANALYSIS, errors: limits },
    analysisKey: `errors:${maxIncrease}/${floor} latency:${latency?.mode ?? "gate"}`,
  };
};

/** `25%` is 0.25. Throws on what is no percentage. */
const share = (percent: string): number => {
  if (!/^[0-9]{1,3}([.][0-9]{1,2})?%$/.test(percent)) throw new Error(`"${percent}" is not a percentage such as 25%`);
  return Number(percent.replace("%", "")) / 100;
};

const wholePercent = (weight: string): number => {
  if (!/^([1-9][0-9]?|100)%$/.test(weight)) throw new Error(`"${weight}" is not a weight from 1% to 100%`);
  return Number(weight.replace("%", ""));
};
