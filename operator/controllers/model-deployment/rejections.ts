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
import { type Order, retriesOf } from "./record.ts";
import { isSameSpec, type Revision } from "./revision.ts";

export type Rejected = NonNullable<RolloutStatus["rejected"]>[number];

/** As many as the status holds. */
const KEPT_REJECTIONS = 10;

/** Faults that the operator's own settings (its runtime image) may have caused: no pod of the revision ever answered anybody. */
const BY_SETTINGS: readonly Reason[] = ["AdmissionDenied", "ExecutionProviderUnavailable", "ImageUnavailable"];

/** @param why a reason, or a rejection's message, which begins with one */
export const isBySettings = (why: string): boolean =>
  BY_SETTINGS.some((reason) => why === reason || why.startsWith(`${reason}: `));

/**
 * Those of the status, and those that only a ControllerRevision tells of by now; without those of the specs that somebody wants to try
 * again: once that is followed, what the status says of those is later.
 */
export const rejectionsOf = (observed: Observed): readonly Rejected[] => {
  const { revisions } = observed;
  const { rollout, stable } = observed.modelDeployment.status ?? {};
  const orders = retriesOf(observed);
  const followed = new Set(rollout?.retried);
  const isFresh = isOf(
    observed,
    orders.filter(({ record }) => !followed.has(record.metadata.name)),
  );
  const isOrdered = isOf(observed, orders);
  // a status without a stable revision was lost, or never had any
  const told = stable === undefined ? [] : (rollout?.rejected ?? []).filter(({ revision }) => !isFresh(revision));
  const known = new Set(told.map(({ revision }) => revision));
  const marked = revisions.flatMap(({ name, rejected }) =>
    rejected === undefined || known.has(name) || isOrdered(name) ? [] : [{ revision: name, ...rejected }],
  );
  return [...told, ...marked].slice(0, KEPT_REJECTIONS);
};

/** Whether one of the orders is about that revision, or about another one of the same spec. */
const isOf = ({ revisions }: Observed, orders: readonly Order[]): ((name: string) => boolean) => {
  const names = new Set(orders.flatMap(({ record }) => record.status?.to ?? []));
  if (names.size === 0) return () => false;
  const again = revisions.filter(({ name }) => names.has(name));
  return (name) => {
    const revision = revisions.find((one) => one.name === name);
    return names.has(name) || (revision !== undefined && again.some((one) => isSameSpec(one, revision)));
  };
};

/** The status says that it is followed, and nothing else tells of the rejection that it took back. */
export const isRetryFollowed = (observed: Observed, order: Order): boolean => {
  const { rejected = [], retried = [] } = observed.modelDeployment.status?.rollout ?? {};
  if (!retried.includes(order.record.metadata.name)) return false;
  const isAgain = isOf(observed, [order]);
  const told = new Set(rejected.map(({ revision }) => revision));
  return observed.revisions.every(({ name, rejected: mark }) => mark === undefined || told.has(name) || !isAgain(name));
};

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

/** What the status keeps from now on: the latest first. */
export const rejectionsAfter = (observed: Observed, latest?: Rejected): readonly Rejected[] => {
  const before = rejectionsOf(observed);
  if (latest === undefined) return before;
  return [latest, ...before.filter(({ revision }) => revision !== latest.revision)].slice(0, KEPT_REJECTIONS);
};
