/** What the router may see: ModelDeployments and EndpointSlices of its namespace, and nothing else. */
import { ROUTER_NAME } from "../../../api/v1alpha1/index.ts";
import type { RoleBinding, ServiceAccount } from "../../../platform/kube/objects.ts";
import { type RouterOwner, routerMeta } from "./meta.ts";

export const routerAccount = (owner: RouterOwner): ServiceAccount => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: routerMeta(owner),
  automountServiceAccountToken: false,
});

/** What routers are bound to, and came with the operator: a ClusterRole, or a Role of this name in each namespace. */
export type RouterRole = { kind: "ClusterRole" | "Role"; name: string };

/** A ClusterRole grants no more than this binding's namespace, too. */
export const routerBinding = (owner: RouterOwner, role: RouterRole): RoleBinding => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: routerMeta(owner),
  roleRef: { apiGroup: "rbac.authorization.k8s.io", ...role },
  subjects: [{ kind: "ServiceAccount", name: ROUTER_NAME, namespace: owner.namespace }],
});
