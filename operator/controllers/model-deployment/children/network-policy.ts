import {
  ADMIN_PORT,
  childLabels,
  GRPC_PORT,
  HTTP_PORT,
  MONITORING_LABEL,
  NAMESPACE_NAME_LABEL,
  networkPolicyName,
} from "../../../api/v1alpha1/index.ts";
import type { NetworkPolicy } from "../../../platform/kube/objects.ts";
import { childMeta, type Owner } from "./owner.ts";

const namespaces = (label: string, value: string) => ({ namespaceSelector: { matchLabels: { [label]: value } } });

/**
 * Clients reach the data ports from anywhere; metrics and state of the server are for the operator and for monitoring.
 * Probes come from the kubelet, which no policy holds back. Ports by number: not every network knows them by name.
 */
export const networkPolicy = (owner: Owner, operatorNamespace: string): NetworkPolicy => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: childMeta(owner, networkPolicyName(owner.name)),
  spec: {
    podSelector: { matchLabels: childLabels(owner.name) },
    policyTypes: ["Ingress"],
    ingress: [
      {
        ports: [
          { port: HTTP_PORT, protocol: "TCP" },
          { port: GRPC_PORT, protocol: "TCP" },
        ],
      },
      {
        from: [namespaces(NAMESPACE_NAME_LABEL, operatorNamespace), namespaces(MONITORING_LABEL, "true")],
        ports: [{ port: ADMIN_PORT, protocol: "TCP" }],
      },
    ],
  },
});
