import { join } from "node:path";
import { certificate } from "../certificates.ts";
import { componentKubeconfig } from "../kubeconfig.ts";
import { addressesOf, byFamily, deviceLabels, type NodePlan, network, type Plan } from "../plan.ts";
import { answers, type Component, flags } from "./component.ts";
import { containerdSocket } from "./containerd.ts";

export const kubelet: Component = {
  name: "kubelet",
  place: "every node",
  files: (plan, node) => ({ [configFile(node)]: `${JSON.stringify(kubeletConfiguration(plan, node), null, 2)}\n` }),
  command: (plan, node, { machine }) => [
    machine,
    "kubelet",
    ...flags({
      kubeconfig: componentKubeconfig(plan, node.name),
      config: configFile(node),
      "hostname-override": node.name,
      "node-ip": addressesOf(plan, node).join(","),
      ...labelFlag(deviceLabels(node, plan.devices)),
      v: 1,
    }),
  ],
  probe: answers(10248, "/healthz"),
};

const configFile = (node: NodePlan): string => join(node.directory, "kubelet.json");

const labelFlag = (labels: Record<string, string>): Record<string, string> => {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? {} : { "node-labels": pairs.join(",") };
};

export const kubeletConfiguration = (plan: Plan, node: NodePlan) => ({
  apiVersion: "kubelet.config.k8s.io/v1beta1",
  kind: "KubeletConfiguration",
  containerRuntimeEndpoint: `unix://${containerdSocket}`,
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: certificate(plan, "ca").certificate },
  },
  authorization: { mode: "Webhook" },
  readOnlyPort: 0,
  cgroupDriver: "cgroupfs",
  cgroupRoot: node.cgroup,
  failCgroupV1: false, // 1.35 refuses cgroup v1 by default
  failSwapOn: false,
  enforceNodeAllocatable: [],
  evictionHard: { "nodefs.available": "1%", "imagefs.available": "1%" },
  // Once a minute by default: how much the pods have written, by which they are evicted.
  volumeStatsAggPeriod: "10s",
  imageGCHighThresholdPercent: 100, // never: an image that was loaded cannot be pulled again
  // Where a sysctl or /dev/kmsg is closed, in a container, warn instead of refusing to start.
  featureGates: { KubeletInUserNamespace: true },
  oomScoreAdj: 0,
  resolvConf: "",
  clusterDNS: byFamily(plan, network.dnsService, network.ipv6.dnsService).slice(0, 1),
  clusterDomain: network.domain,
  seccompDefault: true,
  serializeImagePulls: false,
  // A lost node is seen by the lease that it does not renew (kube-controller-manager.ts).
  nodeStatusUpdateFrequency: "2s",
  nodeLeaseDurationSeconds: 8,
  shutdownGracePeriod: "0s",
});
