/** The revisions of a ModelDeployment that were tried and are not taken, as its status keeps them. Pure. */
import type { RolloutStatus } from "../api/v1alpha1/index.ts";
import type { Rejection } from "../rollout/machine.ts";
import { rolloutSettings } from "../rollout/settings.ts";
import { rejected } from "../rollout/words.ts";
import { oneLine } from "./explain/cause.ts";
import type { Observed } from "./observe.ts";
import type { Revision } from "./revision.ts";

export type Rejected = NonNullable<RolloutStatus["rejected"]>[number];

/** As many as the status holds. */
const KEPT_REJECTIONS = 10;

/** Why this revision is not taken, if it was rejected, and by the very analysis that holds now. */
export const rejectedBefore = (
  { spec, status }: Observed["modelDeployment"],
  revision: Revision | undefined,
): string | undefined => {
  if (revision === undefined) return undefined;
  const key = rolloutSettings(spec)?.analysisKey;
  return status?.rollout?.rejected?.find((one) => one.revision === revision.name && one.analysis === key)?.message;
};

/** @param words of the evidence */
export const rejectionOf = (
  revision: Revision,
  analysis: string,
  rejection: Rejection,
  words: string | undefined,
): Rejected => {
  const told = rejection.why === "harm" && words !== undefined ? `; ${words}` : "";
  return { revision: revision.name, analysis, message: oneLine(rejected(rejection) + told) };
};

/** What the status keeps from now on: the latest first, without those that are to be tried again. */
export const rejectionsAfter = (
  { status }: Observed["modelDeployment"],
  retried: ReadonlySet<string>,
  latest?: Rejected,
): Rejected[] => {
  const before = (status?.rollout?.rejected ?? []).filter(({ revision }) => !retried.has(revision));
  return latest === undefined ? before : [latest, ...before].slice(0, KEPT_REJECTIONS);
};
