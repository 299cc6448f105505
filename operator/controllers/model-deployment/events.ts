/** Events for people who watch: on transitions only, read off the status before and after. */
import { findCondition, type ModelDeployment, type ModelDeploymentStatus } from "../../api/v1alpha1/index.ts";
import type { EventRecorder } from "../../platform/controller/events.ts";

export const recordTransitions = (
  events: EventRecorder,
  modelDeployment: ModelDeployment,
  status: ModelDeploymentStatus,
): void => {
  const before = modelDeployment.status;
  const stable = status.stable?.revision;
  if (stable !== undefined && stable !== before?.stable?.revision) {
    events.event(modelDeployment, "Normal", "Promoted", "Promote", `${stable} is now the stable revision`);
  }
  const [was, is] = [before?.scale?.wanted, status.scale?.wanted];
  if (was !== undefined && is !== undefined && was !== is) {
    const { message = "", why = "" } = status.scale ?? {};
    events.event(modelDeployment, "Normal", "Scaled", "Scale", `from ${was} to ${is} pods (${why}): ${message}`);
  }
  recordIgnored(events, modelDeployment, status);
  const stalled = findCondition(status.conditions, "Stalled");
  if (stalled !== undefined && stalled.reason !== findCondition(before?.conditions, "Stalled")?.reason) {
    events.event(modelDeployment, "Warning", stalled.reason, "Reconcile", stalled.message);
  }
  for (const type of ["BatchingEnded", "RevisionUnrecorded"] as const) {
    const begun = findCondition(status.conditions, type);
    if (begun !== undefined && findCondition(before?.conditions, type) === undefined)
      events.event(modelDeployment, "Warning", begun.reason, "Reconcile", begun.message);
  }
  // A promotion has said so already.
  const isReady = findCondition(status.conditions, "Ready")?.status === "True";
  if (
    isReady &&
    stable === before?.stable?.revision &&
    findCondition(before?.conditions, "Ready")?.status === "False"
  ) {
    events.event(modelDeployment, "Normal", "Ready", "Reconcile", status.message ?? "");
  }
};

/** Once for each number that has no effect. */
const recordIgnored = (
  events: EventRecorder,
  modelDeployment: ModelDeployment,
  { scale }: ModelDeploymentStatus,
): void => {
  const before = modelDeployment.status?.scale;
  const isNews = scale?.ignored !== before?.ignored || scale?.external?.from !== before?.external?.from;
  if (!isNews || scale?.ignored === undefined) return;
  const why =
    scale.external === undefined
      ? "spec.scaling.mode is internal; remove spec.replicas, and the HPA if one writes it"
      : `it was set before spec.scaling.mode became external; ${scale.external.replicas} pods stay until spec.replicas changes`;
  events.event(
    modelDeployment,
    "Normal",
    "ReplicasIgnored",
    "Scale",
    `spec.replicas ${scale.ignored} has no effect: ${why}`,
  );
};
