import { REVISION_LABEL } from "../../../contract/pod.ts";

/** Labels and annotations that Berth puts on what it makes. Nothing is copied from the user's object. */
export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";
export const MANAGED_BY = "berth";
/** Selects every child of every ModelDeployment: the caches watch no more than that. */

export const MODEL_DEPLOYMENT_LABEL = "berth.dev/model-deployment";

/** On the router's pods, with the value "true": what a ModelDeployment's Service selects when requests go through it. */
export const ROUTER_LABEL = "berth.dev/router";

/** On a namespace, with the value "true": its pods may reach the admin port of every model, as a Prometheus must. */
export const MONITORING_LABEL = "berth.dev/monitoring";
/** Every namespace has this label, by the API server, with its name. */
export const NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name";
/** Kueue's: the LocalQueue that a Deployment's pods wait in. */
export const QUEUE_LABEL = "kueue.x-k8s.io/queue-name";

/** On a ControllerRevision: a number that grows with each promotion. It finds stable again when status was lost. */
export const PROMOTED_ANNOTATION = "berth.dev/promoted";
/** On a ControllerRevision: by which analysis it was rejected, and why, as JSON. It outlives a lost status, too. */
export const REJECTED_ANNOTATION = "berth.dev/rejected";
/** On the clients' Service: since when it selects another revision (RFC 3339). The pods of the last serve on for a moment after that. */
export const SWITCHED_ANNOTATION = "berth.dev/switched-at";
/** On what Berth keeps as it should be: a hash of what was last applied. */
export const APPLIED_ANNOTATION = "berth.dev/applied";

/** On a ModelDeployment: each new value, such as a time, restarts its pods one by one. Also on the pod template, with that value. */
export const RESTARTED_ANNOTATION = "berth.dev/restartedAt";

export const childLabels = (modelDeployment: string): Record<string, string> => ({
  [MANAGED_BY_LABEL]: MANAGED_BY,
  [MODEL_DEPLOYMENT_LABEL]: modelDeployment,
});

export const revisionLabels = (modelDeployment: string, revision: string): Record<string, string> => ({
  ...childLabels(modelDeployment),
  [REVISION_LABEL]: revision,
});

export const routerLabels: Record<string, string> = { [MANAGED_BY_LABEL]: MANAGED_BY, [ROUTER_LABEL]: "true" };
