/** Conditions: their types, and how a new set takes over the times of the old one. */
import type { Reason } from "./reasons.ts";
import type { Condition } from "./status.ts";

/**
 * `Ready` is the summary and always there. `Reconciling` and `Stalled` are there only while they are True
 * (the kstatus contract). `Available`: requests are answered, even if fewer pods than wanted are ready. `ModelLoaded` and
 * `CapacityAvailable` are about the newest revision, which may not serve yet. `SignalsAvailable`, where the number of
 * pods follows the load: what the routers count is heard. `BatchingEnded` and `RevisionUnrecorded`
 * are there only while they are True.
 */
export type ConditionType =
  | "Ready"
  | "Reconciling"
  | "Stalled"
  | "Available"
  | "ModelLoaded"
  | "CapacityAvailable"
  | "SignalsAvailable"
  | "BatchingEnded"
  | "RevisionUnrecorded";

/** A condition before it has times: what the status logic decides. */
export type Mark = { type: ConditionType; status: "True" | "False" | "Unknown"; reason: Reason; message: string };

/** `marks` as conditions; `lastTransitionTime` moves only where `status` differs from `previous`. */
export const toConditions = (
  marks: Mark[],
  previous: readonly Condition[],
  observedGeneration: number,
  now: string,
): Condition[] =>
  marks.map((mark) => {
    const before = previous.find(({ type, status }) => type === mark.type && status === mark.status);
    return { ...mark, lastTransitionTime: before?.lastTransitionTime ?? now, observedGeneration };
  });

export const findCondition = (
  conditions: readonly Condition[] | undefined,
  type: ConditionType,
): Condition | undefined => conditions?.find((condition) => condition.type === type);
