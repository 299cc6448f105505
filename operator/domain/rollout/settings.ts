/** What `spec.rollout` says, with what it leaves out. Pure. */
import { createHash } from "node:crypto";
import {
  isRolledOut,
  type ModelDeploymentSpec,
  type OutputTolerance,
  parseDuration,
  toleranceOf,
} from "../../api/v1alpha1/index.ts";
import { ERROR_LIMITS } from "./evidence/errors.ts";
import { ANALYSIS, type Analysis, OUTPUTS } from "./evidence/evidence.ts";
import { evidenceStep, type Step } from "./steps.ts";
import type { Plan, Strategy } from "./strategy.ts";

type RolloutSpec = NonNullable<ModelDeploymentSpec["rollout"]>;

export type RolloutSettings = {
  strategy: Strategy;
  /** Undefined: they follow from the traffic. */
  steps: readonly Step[] | undefined;
  /** Percent of stable's requests, of which the canary gets a copy. */
  shadow: number;
  minMs: number;
  maxMs: number;
  onInconclusive: "hold" | "advance" | "rollback";
  isPaused: boolean;
  capacity: "auto" | Plan;
  analysis: Analysis;
  /** Equal for equal analyses, however they are written: a revision that one has rejected may be tried by another. */
  analysisKey: string;
  /** As operators before have written it of the same analysis: what they have rejected stays so. */
  formerKey: string;
};

/** Undefined where a new revision takes over at once. */
export const rolloutSettings = ({ rollout }: Pick<ModelDeploymentSpec, "rollout">): RolloutSettings | undefined => {
  if (rollout === undefined || !isRolledOut({ rollout })) return undefined;
  const strategy = rollout.strategy ?? "canary";
  if (strategy === "immediate") return undefined;
  const analysis = analysisOf(strategy, rollout.analysis);
  const tolerances = rollout.analysis?.outputs?.tolerances ?? [];
  return {
    strategy,
    steps: stepsOf(strategy, rollout, analysis),
    shadow: shadowOf(strategy, rollout.analysis),
    minMs: parseDuration(rollout.stepDuration?.min ?? "1m"),
    maxMs: parseDuration(rollout.stepDuration?.max ?? "1h"),
    onInconclusive: rollout.onInconclusive ?? "hold",
    isPaused: rollout.paused === true,
    capacity: rollout.capacity ?? "auto",
    analysis,
    analysisKey: keyOf(strategy, analysis, canonical(tolerances)),
    formerKey: keyOf(strategy, analysis, tolerances),
  };
};

/** Errors and latency need two arms that answer clients side by side, outputs need copies of requests. */
const analysisOf = (strategy: Strategy, spec: RolloutSpec["analysis"] = {}): Analysis => {
  const { errors, latency, outputs } = spec;
  const isGated = strategy === "shadow" || (outputs !== undefined && outputs.mode !== "report");
  const maxDisagreement =
    outputs?.maxDisagreement === undefined ? OUTPUTS.maxDisagreement : share(outputs.maxDisagreement);
  const compared = isGated ? { outputs: { maxDisagreement } } : {};
  if (strategy !== "canary") return { levels: ANALYSIS.levels, ...compared };
  const maxIncrease = errors?.maxIncrease === undefined ? ERROR_LIMITS.maxIncrease : 1 + share(errors.maxIncrease);
  const floor = errors?.floor === undefined ? ERROR_LIMITS.floor : share(errors.floor);
  const { latency: timed, ...rest } = ANALYSIS;
  const limits = { ...rest, errors: { maxIncrease, floor }, ...compared };
  return timed === undefined || latency?.mode === "off" ? limits : { ...limits, latency: timed };
};

const keyOf = (strategy: Strategy, { errors, latency, outputs }: Analysis, tolerances: readonly unknown[]): string =>
  [
    ...(strategy === "canary" ? [] : [strategy]),
    ...(errors === undefined ? [] : [`errors:${errors.maxIncrease}/${errors.floor}`]),
    ...(strategy === "canary" ? [`latency:${latency === undefined ? "off" : "gate"}`] : []),
    ...(outputs === undefined ? [] : [`outputs:${outputs.maxDisagreement}`]),
    ...(outputs === undefined || tolerances.length === 0 ? [] : [`tolerances:${digestOf(tolerances)}`]),
  ].join(" ");

/** Their order says nothing, and neither does a default that is written out, nor how a number is. */
const canonical = (tolerances: readonly OutputTolerance[]): unknown[] =>
  tolerances.map((one) => [one.output, toleranceOf(one)] as const).toSorted(([one], [other]) => (one < other ? -1 : 1));

const digestOf = (tolerances: readonly unknown[]): string =>
  createHash("sha256").update(JSON.stringify(tolerances)).digest("hex").slice(0, 8);

const stepsOf = (strategy: Strategy, { steps }: RolloutSpec, { outputs }: Analysis): Step[] | undefined => {
  switch (strategy) {
    case "canary":
      return steps?.map(({ pause, weight }) => evidenceStep(wholePercent(weight), pause === true));
    case "shadow":
      return [evidenceStep(0)];
    case "blueGreen":
      // first nobody but testers and copies of requests come; then all do, and nothing serves beside it
      return [
        { weight: 0, pause: false, proof: outputs === undefined ? "health" : "evidence" },
        { weight: 100, pause: false, proof: "health" },
      ];
  }
};

/** A tenth of the requests tells enough, where clients' own requests tell as well. */
const SHADOW = { canary: 10, blueGreen: 10, shadow: 100 } as const;

const shadowOf = (strategy: Strategy, analysis: RolloutSpec["analysis"]): number => {
  const outputs = analysis?.outputs;
  if (outputs === undefined && strategy !== "shadow") return 0;
  return outputs?.shadow === undefined ? SHADOW[strategy] : wholePercent(outputs.shadow);
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
