import { componentKubeconfig } from "../kubeconfig.ts";
import { byFamily, network } from "../plan.ts";
import { answers, type Component, flags } from "./component.ts";

export const kubeProxy: Component = {
  name: "kube-proxy",
  place: "every node",
  command: (plan, node, { machine }) => [
    machine,
    "kube-proxy",
    ...flags({
      kubeconfig: componentKubeconfig(plan, "kube-proxy"),
      "hostname-override": node.name,
      "proxy-mode": "nftables",
      "cluster-cidr": byFamily(plan, network.podRange, network.ipv6.podRange).join(","),
      "healthz-bind-address": "127.0.0.1:10256",
      // The sysctls of connection tracking belong to the host and are read-only here: leave them alone.
      "conntrack-max-per-core": 0,
      "conntrack-tcp-timeout-established": "0s",
      "conntrack-tcp-timeout-close-wait": "0s",
    }),
  ],
  probe: answers(10256, "/healthz"),
};

/** Lets every kube-proxy read Services and endpoints; the role is Kubernetes' own. */
export const proxyBinding = {
  path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
  body: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "kube-proxy" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:node-proxier" },
    subjects: [{ kind: "User", name: "system:kube-proxy", apiGroup: "rbac.authorization.k8s.io" }],
  },
};
