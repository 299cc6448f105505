import type {
  ConfigMap,
  ControllerRevision,
  Deployment,
  DeviceClass,
  Event,
  KubeObject,
  Lease,
  NetworkPolicy,
  Node,
  Pod,
  PodDisruptionBudget,
  PriorityClass,
  Resource,
  ResourceClaim,
  ResourceSlice,
  RoleBinding,
  Service,
  ServiceAccount,
} from "./objects.ts";

const namespaced = <T extends KubeObject>(apiVersion: string, kind: string, plural: string): Resource<T> => ({
  apiVersion,
  kind,
  plural,
  namespaced: true,
});

export const PODS: Resource<Pod> = namespaced("v1", "Pod", "pods");
export const NODES: Resource<Node> = { apiVersion: "v1", kind: "Node", plural: "nodes", namespaced: false };
export const PRIORITY_CLASSES: Resource<PriorityClass> = {
  apiVersion: "scheduling.k8s.io/v1",
  kind: "PriorityClass",
  plural: "priorityclasses",
  namespaced: false,
};
export const DEVICE_CLASSES: Resource<DeviceClass> = {
  apiVersion: "resource.k8s.io/v1",
  kind: "DeviceClass",
  plural: "deviceclasses",
  namespaced: false,
};
export const RESOURCE_SLICES: Resource<ResourceSlice> = {
  apiVersion: "resource.k8s.io/v1",
  kind: "ResourceSlice",
  plural: "resourceslices",
  namespaced: false,
};
export const RESOURCE_CLAIMS: Resource<ResourceClaim> = namespaced(
  "resource.k8s.io/v1",
  "ResourceClaim",
  "resourceclaims",
);
export const SERVICES: Resource<Service> = namespaced("v1", "Service", "services");
export const CONFIG_MAPS: Resource<ConfigMap> = namespaced("v1", "ConfigMap", "configmaps");
export const DEPLOYMENTS: Resource<Deployment> = namespaced("apps/v1", "Deployment", "deployments");
/** Never asked for: owners of pods are known by it. */
export const REPLICA_SETS = { apiVersion: "apps/v1", kind: "ReplicaSet" };
export const CONTROLLER_REVISIONS: Resource<ControllerRevision> = namespaced(
  "apps/v1",
  "ControllerRevision",
  "controllerrevisions",
);
export const POD_DISRUPTION_BUDGETS: Resource<PodDisruptionBudget> = namespaced(
  "policy/v1",
  "PodDisruptionBudget",
  "poddisruptionbudgets",
);
export const NETWORK_POLICIES: Resource<NetworkPolicy> = namespaced(
  "networking.k8s.io/v1",
  "NetworkPolicy",
  "networkpolicies",
);
export const SERVICE_ACCOUNTS: Resource<ServiceAccount> = namespaced("v1", "ServiceAccount", "serviceaccounts");
export const ROLE_BINDINGS: Resource<RoleBinding> = namespaced(
  "rbac.authorization.k8s.io/v1",
  "RoleBinding",
  "rolebindings",
);
export const LEASES: Resource<Lease> = namespaced("coordination.k8s.io/v1", "Lease", "leases");
export const EVENTS: Resource<Event> = namespaced("events.k8s.io/v1", "Event", "events");
