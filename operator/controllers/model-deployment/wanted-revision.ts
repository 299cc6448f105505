/** The revision of the current spec: one that there is, as it was rendered, or a new one. Pure. */
import { findCondition, type Reason } from "../../api/v1alpha1/index.ts";
import { isReady } from "../../domain/pods/pods.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import { isSameJson } from "./canonical.ts";
import { podTemplate, type RenderSettings } from "./children/pod-template.ts";
import { deploymentOf, podsOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import { isBySettings, rejectionInForce } from "./rejections.ts";
import { isSameSpec, newRevisionName, type Revision } from "./revision.ts";
import { revisionSpecOf } from "./revision-spec.ts";
import { isRenderedSo } from "./unrecorded.ts";

/** What another runtime image may end. A canary that failed so is rejected, and stays so. */
const BY_IMAGE: readonly Reason[] = ["CrashLooping", "ModelInvalid", "WarmUpFailed"];

/** `same`: all that there are of this spec. */
export type Wanted = { revision: Revision; same: Revision[] };

/**
 * A revision is taken as it was rendered, whatever this operator would render today: its upgrade restarts no pod and no rollout.
 * Rendered anew is only what has yet to begin, or what the operator's own settings (a wrong image) may keep from serving.
 */
export const wantedRevision = (observed: Observed, settings: RenderSettings, stable: Revision | undefined): Wanted => {
  const { modelDeployment, owner, revisions } = observed;
  const spec = revisionSpecOf(modelDeployment.spec);
  const same = byPreference(observed, stable).filter((revision) => isSameSpec(revision, { spec }));
  const render = (name: string) => podTemplate(owner.name, name, spec, settings);
  const isKept = (revision: Revision): boolean =>
    revision === stable ||
    !mayBeRenderedAnew(observed, revision, stable) ||
    (revision.isUnrecorded && isRenderedSo(owner, revision, settings)) ||
    isSameJson(revision.template, render(revision.name));
  const known = same.find(isKept);
  if (known !== undefined) return { revision: known, same };
  const name = newRevisionName(owner.name, spec, takenNames(observed));
  const number = Math.max(0, ...revisions.map((revision) => revision.number)) + 1;
  return { revision: { name, spec, number, template: render(name) }, same };
};

/** The pods that a deleted namesake has left are not pinned and not counted: no revision of this one has their name. */
const takenNames = ({ controllerRevisions, leftRevisions, revisions }: Observed): ReadonlySet<string> =>
  new Set([
    ...controllerRevisions.map(({ metadata }) => metadata.name),
    ...revisions.map(({ name }) => name),
    ...leftRevisions,
  ]);

/** Of several with the same spec the one that serves, that is on trial, that served last, or that was made last. */
const byPreference = ({ modelDeployment, revisions }: Observed, stable: Revision | undefined): Revision[] => {
  const tried = modelDeployment.status?.rollout?.revision;
  const rank = (revision: Revision): number => (revision === stable ? 2 : revision.name === tried ? 1 : 0);
  return revisions.toSorted(
    (one, other) => rank(other) - rank(one) || (other.promoted ?? 0) - (one.promoted ?? 0) || other.number - one.number,
  );
};

const mayBeRenderedAnew = (observed: Observed, revision: Revision, stable: Revision | undefined): boolean => {
  const { rollout } = observed.modelDeployment.status ?? {};
  if (revision.promoted !== undefined) return false;
  const rejection = rejectionInForce(observed, revision);
  if (rejection !== undefined) return isBySettings(rejection.message);
  const reason = lastReason(observed, revision);
  if (rollout?.revision === revision.name) {
    const isFirstStep = rollout.phase === "preparing" && (rollout.step ?? 0) === 0;
    return isFirstStep && isBySettings(reason);
  }
  if (deploymentOf(observed, revision) === undefined) return true;
  const isOfImage = isBySettings(reason) || BY_IMAGE.some((one) => one === reason);
  return isOfImage || (stable === undefined && waitsForImage(podsOf(observed, revision)));
};

/** What the status says of it, if it was the newest one when that was written. */
const lastReason = ({ modelDeployment: { status } }: Observed, { name }: Revision): string => {
  const reason = findCondition(status?.conditions, "Ready")?.reason;
  return status?.canary?.revision === name && reason !== undefined ? reason : "";
};

/** A node was found, and no container has run: nothing is lost. Pods that wait for a node keep their place in its queue. */
const waitsForImage = (pods: readonly Pod[]): boolean =>
  pods.every((pod) => !hasRun(pod)) && (pods.length === 0 || pods.some(({ spec }) => spec?.nodeName !== undefined));

const hasRun = (pod: Pod): boolean =>
  isReady(pod) ||
  [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].some(
    ({ lastState, restartCount, state }) =>
      restartCount > 0 ||
      state?.running !== undefined ||
      state?.terminated !== undefined ||
      lastState?.terminated !== undefined,
  );
