/**
 * The revisions of a ModelDeployment that were tried and are not taken. The status has them, and each ControllerRevision its own, for
 * the case that the status is lost. A rejection holds for the spec: for all revisions that would have the same pods. Pure.
 */
import type { Reason, RolloutStatus } from "../../api/v1alpha1/index.ts";
import { oneLine } from "../../domain/diagnosis/cause.ts";
import type { Rejection } from "../../domain/rollout/machine.ts";
import { rolloutSettings } from "../../domain/rollout/settings.ts";
import { rejected } from "../../domain/rollout/words.ts";
import type { Observed } from "./observed.ts";
import { isSameSpec, type Revision } from "./revision.ts";

export type Rejected = NonNullable<RolloutStatus["rejected"]>[number];

/** As many as the status holds. */
const KEPT_REJECTIONS = 10;

/** Faults that the operator's own settings (its runtime image) may have caused: no pod of the revision ever answered anybody. */
const BY_SETTINGS: readonly Reason[] = ["AdmissionDenied", "ExecutionProviderUnavailable", "ImageUnavailable"];

/** @param why a reason, or a rejection's message, which begins with one */
export const isBySettings = (why: string): boolean =>
  BY_SETTINGS.some((reason) => why === reason || why.startsWith(`${reason}: `));

/** A status without a stable revision was lost, or never had any. */
export const rejectionsOf = ({ modelDeployment: { status }, revisions }: Observed): readonly Rejected[] =>
  status?.stable === undefined
    ? revisions.flatMap(({ name, rejected }) => (rejected === undefined ? [] : [{ revision: name, ...rejected }]))
    : (status.rollout?.rejected ?? []);

/** The rejection of this very revision, by the analysis that holds now. */
export const rejectionInForce = (observed: Observed, { name }: Revision): Rejected | undefined => {
  const { analysisKey, formerKey } = rolloutSettings(observed.modelDeployment.spec) ?? {};
  return rejectionsOf(observed).find(
    ({ analysis, revision }) => revision === name && (analysis === analysisKey || analysis === formerKey),
  );
};

/**
 * Why this revision is not taken.
 * @param same all revisions of its spec: what the settings caused is not held against one that was rendered anew
 */
export const rejectedBefore = (observed: Observed, revision: Revision, same: readonly Revision[]): string | undefined =>
  rejectionInForce(observed, revision)?.message ??
  same.flatMap((one) => rejectionInForce(observed, one)?.message ?? []).find((message) => !isBySettings(message));

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

/** What the status keeps from now on: the latest first, without those of the specs that somebody wants to try again. */
export const rejectionsAfter = (
  observed: Observed,
  retried: ReadonlySet<string>,
  latest?: Rejected,
): readonly Rejected[] => {
  const again = observed.revisions.filter(({ name }) => retried.has(name));
  const isRetried = (name: string): boolean => {
    const revision = observed.revisions.find((one) => one.name === name);
    return retried.has(name) || (revision !== undefined && again.some((one) => isSameSpec(one, revision)));
  };
  const before = rejectionsOf(observed).filter(({ revision }) => !isRetried(revision));
  return latest === undefined ? before : [latest, ...before].slice(0, KEPT_REJECTIONS);
};
