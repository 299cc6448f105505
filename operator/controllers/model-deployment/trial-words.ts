/** A trial in words. Pure. */
import { ACTION_ANNOTATION } from "../../api/v1alpha1/index.ts";
import { isPausedBySpec, type Trial, trialWeight } from "./trial.ts";

/** Why a swap was given up whose pods were never asked for. */
export const UNSCALED = "the API server did not accept the write that was to start its pods";

/** `step 2 of 3: 25 % of the requests go to digits-2` */
export const stepInWords = (trial: Trial): string => {
  const { revision, settings, state, steps } = trial;
  if (steps === undefined)
    return `${revision.name} waits for some seconds of traffic, from which Berth derives the steps`;
  const step = "step" in state ? state.step + 1 : steps.length;
  const weight = trialWeight(trial);
  const share =
    weight === 0
      ? `${revision.name} answers no client`
      : weight === 100
        ? `all requests go to ${revision.name}`
        : `${weight} % of the requests go to ${revision.name}`;
  const copies = settings.shadow === 0 || weight === 100 ? "" : `, and copies of ${settings.shadow} %`;
  return `step ${step} of ${steps.length}${pausedInWords(trial)}: ${share}${copies}${capacityInWords(trial)}`;
};

/** Nothing is said of what costs nobody anything. */
const capacityInWords = ({ capacity }: Trial): string => {
  if (capacity === undefined || capacity.plan === "surge") return "";
  const { canary, fullSince, plan, retryAt, stable, why } = capacity;
  if (retryAt !== undefined) {
    const at = new Date(retryAt).toISOString().slice(11, 19);
    const told = why === UNSCALED ? why : "its pods did not start in time in stable's place";
    return `; capacity swap: ${told}; Berth tries again at ${at} UTC`;
  }
  const told =
    plan === "swap"
      ? "its pods take the place of stable's"
      : `it replaces stable's pods stepwise: ${stable} stable, ${canary} canary`;
  const full = fullSince === undefined ? "" : "; the load needs more pods, and no node has room for them";
  return `; capacity ${plan}: ${told} (${why})${full}`;
};

const pausedInWords = (trial: Trial): string => {
  const { isHeld, name, state } = trial;
  if (isHeld) return ", paused by the command pause";
  if (state.phase === "finishing" && isPausedBySpec(trial)) return ", paused by spec.rollout.paused";
  if (state.phase !== "paused") return "";
  switch (state.by) {
    case "spec":
      return ", paused by spec.rollout.paused";
    case "command":
      return ", paused by a command";
    case "step":
      return `, safe so far and paused by its step; to go on: kubectl annotate modelrollout ${name} ${ACTION_ANNOTATION}=resume`;
  }
};
