/** What the router may see: ModelDeployments and EndpointSlices of its namespace, and nothing else. */
import { ROUTER_NAME } from "../../api/v1alpha1/index.ts";
import type { RoleBinding, ServiceAccount } from "../../kube/objects.ts";
import { type RouterOwner, routerMeta } from "./meta.ts";

export const routerAccount = (owner: RouterOwner): ServiceAccount => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: routerMeta(owner),
  automountServiceAccountToken: false,
});

/** @param clusterRole the ClusterRole of routers, which came with the operator: it grants no more than this binding's namespace */
export const routerBinding = (owner: RouterOwner, clusterRole: string): RoleBinding => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: routerMeta(owner),
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: clusterRole },
  subjects: [{ kind: "ServiceAccount", name: ROUTER_NAME, namespace: owner.namespace }],
});
