/**
 * A restart: the same revision with new pods, one after the other, so that they read their Secrets and certificates again. It is asked for by
 * an annotation on the ModelDeployment, or by `kubectl rollout restart` on a Deployment. Pure.
 */

import { DEFAULT_MAX_WAIT, parseDuration, RESTARTED_ANNOTATION } from "../../api/v1alpha1/index.ts";
import { isGated } from "../../domain/pods/pods.ts";
import { KUBECTL_RESTARTED_ANNOTATION } from "../../platform/kube/annotations.ts";
import type { Deployment, PodTemplate } from "../../platform/kube/objects.ts";
import { deploymentOf, lacksRoom, podsOf, routedPort, startMsOf, wantedOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** `intended`, with the restart that was asked for last, and how its pods are replaced. */
export const withRestart = (observed: Observed, revision: Revision, intended: Deployment): Deployment => {
  const { spec } = intended;
  if (spec === undefined) return intended;
  const before = deploymentOf(observed, revision)?.spec?.template.metadata?.annotations?.[RESTARTED_ANNOTATION];
  // an annotation that is taken off again restarts nothing
  const asked = observed.modelDeployment.metadata.annotations?.[RESTARTED_ANNOTATION] ?? before;
  const template = asked === undefined ? spec.template : annotated(spec.template, { [RESTARTED_ANNOTATION]: asked });
  const rollingUpdate = givesWay(observed, revision)
    ? { maxSurge: 0, maxUnavailable: 1 }
    : { maxSurge: 1, maxUnavailable: 0 };
  return { ...intended, spec: { ...spec, template, strategy: { type: "RollingUpdate", rollingUpdate } } };
};

/** The template to restore: a restart by `kubectl` is no edit, and is not undone with one. */
export const restorable = (existing: Deployment, intended: Deployment): PodTemplate | undefined => {
  const restarted = existing.spec?.template.metadata?.annotations?.[KUBECTL_RESTARTED_ANNOTATION];
  const template = intended.spec?.template;
  const isByKubectl = !Number.isNaN(Date.parse(restarted ?? ""));
  return restarted === undefined || !isByKubectl || template === undefined
    ? template
    : annotated(template, { [KUBECTL_RESTARTED_ANNOTATION]: restarted });
};

const annotated = (template: PodTemplate, annotations: Record<string, string>): PodTemplate => ({
  ...template,
  metadata: { ...template.metadata, annotations: { ...template.metadata?.annotations, ...annotations } },
});

/** How far a restart is; undefined while there is none. */
export const restartOf = (
  observed: Observed,
  revision: Revision,
): { done: number; of: number; lacksRoom: boolean } | undefined => {
  const { spec, status } = deploymentOf(observed, revision) ?? {};
  const annotations = spec?.template.metadata?.annotations ?? {};
  const isAsked = [RESTARTED_ANNOTATION, KUBECTL_RESTARTED_ANNOTATION].some((name) => annotations[name] !== undefined);
  // the API server leaves out what is 0
  const [there, done] = [status?.replicas ?? 0, status?.updatedReplicas ?? (isAsked ? 0 : undefined)];
  if (done === undefined || there <= done) return undefined;
  return { done, of: spec?.replicas ?? 0, lacksRoom: findsNoRoom(observed, revision) };
};

/** A pod more finds no room, no quota, or waits in its queue. */
const findsNoRoom = (observed: Observed, revision: Revision): boolean =>
  lacksRoom(observed, revision) ||
  podsOf(observed, revision).some(isGated) ||
  (deploymentOf(observed, revision)?.status?.conditions ?? []).some(
    ({ status, type }) => type === "ReplicaFailure" && status === "True",
  );

/** An old pod goes before its successor is ready: where there is no room for both, until the restart is over. */
const givesWay = (observed: Observed, revision: Revision): boolean => {
  const restart = restartOf(observed, revision);
  if (restart === undefined) return false;
  const rolling = deploymentOf(observed, revision)?.spec?.strategy?.rollingUpdate;
  return (restart.lacksRoom || rolling?.maxSurge === 0) && maySpareOne(observed, revision);
};

/** Others serve meanwhile, or the routers hold the requests, and a pod starts within that time. */
const maySpareOne = (observed: Observed, revision: Revision): boolean => {
  if (wantedOf(observed, revision) > 1) return true;
  const startMs = startMsOf(observed, revision);
  const maxWait = observed.modelDeployment.spec.traffic?.queue?.maxWait ?? DEFAULT_MAX_WAIT;
  return routedPort(observed) !== undefined && startMs !== undefined && startMs * SLACK < parseDuration(maxWait);
};

/** A pod that starts for the second time on a node may take longer, and the old one takes its time to go. */
const SLACK = 2;
