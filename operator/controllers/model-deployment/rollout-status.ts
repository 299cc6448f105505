/** What the status keeps of a rollout: all that another leader goes on with. Pure. */
import type { RolloutStatus } from "../../api/v1alpha1/index.ts";
import { oneLine } from "../../domain/diagnosis/cause.ts";
import { capacityStatus } from "./applied.ts";
import type { GivingBack } from "./giving-back.ts";
import type { Observed } from "./observed.ts";
import { retriesOf } from "./record.ts";
import { rejectionOf, rejectionsAfter } from "./rejections.ts";
import type { Trial } from "./trial.ts";

/** What the status says of it; `words`: of its evidence. Undefined where there is nothing to say. */
export const rolloutStatus = (
  observed: Observed,
  { givingBack, trial }: { trial: Trial | undefined; givingBack: GivingBack | undefined },
  words: string | undefined,
  now: number,
): RolloutStatus | undefined => {
  const latest =
    trial?.state.phase === "rejected"
      ? rejectionOf(trial.revision, trial.settings.analysisKey, trial.state.rejection, words)
      : undefined;
  const rejections = rejectionsAfter(observed, latest);
  const retried = retriesOf(observed).map(({ record }) => record.metadata.name);
  const list = {
    ...(rejections.length === 0 ? {} : { rejected: [...rejections] }),
    ...(retried.length === 0 ? {} : { retried }),
  };
  if (givingBack !== undefined) return { ...retreatStatus(givingBack), ...list };
  if (trial?.state.phase === "rejected" && mayKeepShare(trial))
    return { ...retreatStatus(asLeft(trial, now)), ...list };
  if (trial === undefined || trial.state.phase === "rejected" || trial.state.phase === "promoted")
    return Object.keys(list).length === 0 ? undefined : list;
  return { ...trialStatus(trial, words), ...list };
};

/** Nothing is proved against it: its share goes back as stable's pods do. Harm and faults end at once, whatever stable has. */
export const mayKeepShare = ({ capacity, state }: Trial): boolean =>
  state.phase === "rejected" &&
  (state.rejection.why === "command" || state.rejection.why === "inconclusive") &&
  capacity?.plan === "handover";

type Left = Pick<GivingBack, "name" | "revision" | "strategy" | "capacity">;

const asLeft = ({ capacity, name, revision, settings }: Trial, now: number): Left => {
  if (capacity === undefined) throw new Error(`rollout ${name} has no capacity to give back`);
  return { name, revision, strategy: settings.strategy, capacity: { ...capacity, since: now } };
};

const retreatStatus = ({ capacity, name, revision, strategy }: Left): RolloutStatus => ({
  ...{ name, revision: revision.name, strategy, phase: "retreating" as const },
  capacity: capacityStatus(capacity),
});

const trialStatus = (
  { capacity, name, revision, settings, state, steps }: Trial,
  words: string | undefined,
): RolloutStatus => {
  if (state.phase === "rejected" || state.phase === "promoted") return {};
  return {
    name,
    revision: revision.name,
    strategy: settings.strategy,
    phase: state.phase,
    ...("step" in state ? { step: state.step } : { proof: state.by }),
    ...(steps === undefined
      ? {}
      : { steps: steps.map(({ pause, weight }) => ({ weight, ...(pause ? { pause } : {}) })) }),
    ...(capacity === undefined ? {} : { capacity: capacityStatus(capacity) }),
    ...("since" in state ? { since: new Date(state.since).toISOString() } : {}),
    ...(state.phase === "paused" ? { pausedBy: state.by } : {}),
    ...(words === undefined ? {} : { evidence: oneLine(words) }),
  };
};
