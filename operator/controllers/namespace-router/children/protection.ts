/** What keeps the routers from being taken away all at once, and their state from being read by everybody. */
import { ADMIN_PORT, MONITORING_LABEL, NAMESPACE_NAME_LABEL, routerLabels } from "../../../api/v1alpha1/index.ts";
import { FIRST_PORT, PORTS } from "../../../domain/traffic/port.ts";
import type { NetworkPolicy, PodDisruptionBudget } from "../../../platform/kube/objects.ts";
import { type RouterOwner, routerMeta } from "./meta.ts";

export const routerBudget = (owner: RouterOwner): PodDisruptionBudget => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: routerMeta(owner),
  spec: {
    maxUnavailable: 1,
    unhealthyPodEvictionPolicy: "AlwaysAllow",
    selector: { matchLabels: routerLabels },
  },
});

/** Clients reach the models' ports from anywhere; metrics and state are for the operator and for monitoring. */
export const routerPolicy = (owner: RouterOwner, operatorNamespace: string): NetworkPolicy => {
  const from = (label: string, value: string) => ({ namespaceSelector: { matchLabels: { [label]: value } } });
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: routerMeta(owner),
    spec: {
      podSelector: { matchLabels: routerLabels },
      policyTypes: ["Ingress"],
      ingress: [
        { ports: [{ port: FIRST_PORT, endPort: FIRST_PORT + PORTS - 1, protocol: "TCP" }] },
        {
          from: [from(NAMESPACE_NAME_LABEL, operatorNamespace), from(MONITORING_LABEL, "true")],
          ports: [{ port: ADMIN_PORT, protocol: "TCP" }],
        },
      ],
    },
  };
};
