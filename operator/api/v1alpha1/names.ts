/** Names of children. They follow from the ModelDeployment alone, so that a restarted operator finds them again. */

/** A revision's ControllerRevision, Deployment, headless Service, disruption budget and pin ConfigMap all have this name. */
export const revisionName = (modelDeployment: string, hash8: string): string => `${modelDeployment}-${hash8}`;

/** Of the ConfigMap that is there once requests of a revision share no runs any more. */
export const batchingName = (revision: string): string => `${revision}-batching`;

/** The Service that clients use has the name of the ModelDeployment. */
export const serviceName = (modelDeployment: string): string => modelDeployment;

export const networkPolicyName = (modelDeployment: string): string => modelDeployment;

/** Of all that the router of a namespace consists of. */
export const ROUTER_NAME = "berth-router";

/** Inside the cluster; without the cluster's domain, which only DNS knows. */
export const serviceUrl = (modelDeployment: string, namespace: string): string =>
  `http://${serviceName(modelDeployment)}.${namespace}.svc`;
