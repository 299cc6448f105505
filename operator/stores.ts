/** What is watched: every ModelDeployment, or those of some namespaces, and of the other kinds only what we made. */
import type { Logger } from "pino";
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  MODEL_DEPLOYMENT_LABEL,
  MODEL_DEPLOYMENTS,
  MODEL_ROLLOUTS,
} from "./api/v1alpha1/index.ts";
import type { ApiServer } from "./api-server.ts";
import { type Caches, createCaches } from "./platform/cache/caches.ts";
import type { KubeError } from "./platform/kube/errors.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "./platform/kube/resources.ts";
import { createWatch } from "./platform/kube/watch.ts";
import type { Metrics } from "./platform/telemetry/metrics.ts";

export type Stores = ReturnType<typeof storesOf>;

export const watchCluster = (
  { lister, transport }: ApiServer,
  namespaces: readonly string[],
  log: Logger,
  metrics: Metrics,
): { caches: Caches; stores: Stores } => {
  const onFailure = (kind: string, error: KubeError, delayMs: number, namespace: string | undefined) => {
    metrics.watchFailures.inc({ kind, reason: error.reason });
    log.warn({ err: error, kind, namespace, delayMs }, "watch failed");
  };
  const caches = createCaches(lister, createWatch(transport), onFailure, namespaces);
  return { caches, stores: storesOf(caches) };
};

const storesOf = (caches: Caches) => {
  const ours = { [MANAGED_BY_LABEL]: MANAGED_BY };
  const lean = { managedFields: "unused" } as const;
  // `managedFields` say who has set spec.replicas, and who has edited a Deployment: of the others nobody asks
  return {
    modelDeployments: caches.of(MODEL_DEPLOYMENTS, {}, undefined, { spec: "seldomChanged" }),
    deployments: caches.of(DEPLOYMENTS, ours, MODEL_DEPLOYMENT_LABEL),
    services: caches.of(SERVICES, ours, MODEL_DEPLOYMENT_LABEL, lean),
    controllerRevisions: caches.of(CONTROLLER_REVISIONS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    configMaps: caches.of(CONFIG_MAPS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    disruptionBudgets: caches.of(POD_DISRUPTION_BUDGETS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    networkPolicies: caches.of(NETWORK_POLICIES, ours, MODEL_DEPLOYMENT_LABEL, lean),
    pods: caches.of(PODS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    modelRollouts: caches.of(MODEL_ROLLOUTS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    serviceAccounts: caches.of(SERVICE_ACCOUNTS, ours, undefined, lean),
    roleBindings: caches.of(ROLE_BINDINGS, ours, undefined, lean),
  };
};
