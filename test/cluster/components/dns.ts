import { join } from "node:path";
import { componentKubeconfig } from "../kubeconfig.ts";
import { addressesOf, byFamily, controlNode, network, type Plan } from "../plan.ts";
import { answers, type Component } from "./component.ts";

const readyPort = 8181;

/** Cluster DNS, a process on node 0. It answers for the cluster's own domain; every other name is refused at once. */
export const dns: Component = {
  name: "dns",
  place: "control plane",
  files: (plan) => ({ [corefile(plan)]: renderCorefile(componentKubeconfig(plan, "admin")) }),
  command: (plan, _node, { machine }) => [machine, "dns", "-conf", corefile(plan)],
  probe: answers(readyPort, "/ready"),
};

const corefile = (plan: Plan): string => join(plan.directory, "Corefile");

export const renderCorefile = (kubeconfig: string): string => `${network.domain}:53 {
  errors
  ready 127.0.0.1:${readyPort}
  cache 5
  kubernetes ${network.domain} {
    kubeconfig ${kubeconfig}
    pods insecure
    ttl 5
  }
}
`;

const ports = [
  { name: "dns", port: 53, protocol: "UDP" },
  { name: "dns-tcp", port: 53, protocol: "TCP" },
];

/** The Service under which pods find it, and its endpoint, which no selector could find: it is not a pod. */
export const dnsObjects = (plan: Plan) => [
  {
    path: "/api/v1/namespaces/kube-system/services",
    body: {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "kube-dns", namespace: "kube-system" },
      spec: { clusterIP: byFamily(plan, network.dnsService, network.ipv6.dnsService)[0], ports },
    },
  },
  {
    path: "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
    body: {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: "kube-dns-node0",
        namespace: "kube-system",
        labels: { "kubernetes.io/service-name": "kube-dns" },
      },
      addressType: byFamily(plan, "IPv4", "IPv6")[0],
      ports,
      endpoints: [{ addresses: addressesOf(plan, controlNode(plan)).slice(0, 1), conditions: { ready: true } }],
    },
  },
];
