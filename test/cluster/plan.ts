import { join } from "node:path";

/** What a cluster looks like, decided before anything is started. Pure: names, addresses, paths. */
export type Plan = {
  /** Of this instance; at most 8 of a-z and 0-9, because it becomes part of interface and namespace names. */
  readonly name: string;
  /** Everything that the instance writes lies below this directory. */
  readonly directory: string;
  readonly nodes: readonly NodePlan[];
  /** Devices that each node starts with. */
  readonly devices: number;
  readonly flags: ComponentFlags;
  readonly families: Families;
};

/** Of the addresses that pods and Services have: where there are two, the first is that of what asks for one. */
export type Families = "ipv4" | "ipv4,ipv6" | "ipv6,ipv4";
export const familyChoices: readonly Families[] = ["ipv4", "ipv4,ipv6", "ipv6,ipv4"];

/** Flags of components by name, which win over those that a component has by itself: `{"kube-scheduler": {v: "2"}}`. */
export type ComponentFlags = Readonly<Record<string, Readonly<Record<string, string>>>>;

export type NodePlan = {
  readonly index: number;
  readonly name: string;
  readonly directory: string;
  /** On the bridge that joins the nodes. */
  readonly address: string;
  readonly podRange: string;
  /** Where the cluster has IPv6, too. */
  readonly ipv6?: { readonly address: string; readonly podRange: string };
  /** Name below /run/netns. */
  readonly networkNamespace: string;
  /** Parent of the kubelet's cgroups, relative to the root of each hierarchy. */
  readonly cgroup: string;
  readonly product: Product;
};

/** A device model by the labels that NVIDIA's feature discovery gives to a node. */
export type Product = { readonly name: string; readonly memoryMiB: number };

export const maxNodes = 4;
export const maxDevices = 16;
export const defaultName = "berth";
export const defaultNodes = 2;
export const defaultDevices = 4;

/** One network per cluster, the same in each: instances never see one another. */
export const network = {
  bridge: "fabric",
  serviceRange: "10.96.0.0/16",
  /** The first address of the service range is always the API server's. */
  apiService: "10.96.0.1",
  dnsService: "10.96.0.10",
  podRange: "10.244.0.0/16",
  ipv6: { serviceRange: "fd96::/112", apiService: "fd96::1", dnsService: "fd96::a", podRange: "fd44::/48" },
  apiPort: 6443,
  domain: "cluster.local",
} as const;

/** Node 0 has the first, and so on: a test can tell the nodes apart by their devices. */
const products: readonly [Product, Product, Product, Product] = [
  { name: "NVIDIA-A100-SXM4-80GB", memoryMiB: 81920 },
  { name: "NVIDIA-L4", memoryMiB: 23034 },
  { name: "Tesla-T4", memoryMiB: 15360 },
  { name: "NVIDIA-H100-80GB-HBM3", memoryMiB: 81559 },
];

export const isClusterName = (name: string): boolean => /^[a-z0-9]{1,8}$/.test(name);

export const networkNamespaceOf = (cluster: string, index: number): string => `berth-${cluster}-${index}`;
export const cgroupOf = (cluster: string): string => `/berth-dev-${cluster}`;

/** @param parent directory that holds one directory per instance */
export const planCluster = (
  parent: string,
  name: string,
  nodes: number,
  devices: number,
  flags: ComponentFlags = {},
  families: Families = "ipv4",
): Plan => {
  const directory = join(parent, name);
  return {
    name,
    directory,
    devices,
    flags,
    families,
    nodes: products.slice(0, nodes).map((product, index) => ({
      index,
      name: `node${index}`,
      directory: join(directory, `node${index}`),
      address: `10.89.0.${index + 1}`,
      podRange: `10.244.${index}.0/24`,
      ...(families === "ipv4" ? {} : { ipv6: { address: `fd89::${index + 1}`, podRange: `fd44:0:0:${index}::/64` } }),
      networkNamespace: networkNamespaceOf(name, index),
      cgroup: `${cgroupOf(name)}/node${index}`,
      product,
    })),
  };
};

/** One for each family that the cluster has, the first one first. */
export const byFamily = ({ families }: Pick<Plan, "families">, ipv4: string, ipv6: string): string[] =>
  families.split(",").map((family) => (family === "ipv6" ? ipv6 : ipv4));

/** Those of a node. */
export const addressesOf = (plan: Plan, { address, ipv6 }: NodePlan): string[] =>
  byFamily(plan, address, ipv6?.address ?? "");

/** The node with the control plane and the cluster's DNS. */
export const controlNode = (plan: Plan): NodePlan => nodeAt(plan, 0);

export const nodeAt = (plan: Plan, index: number): NodePlan => {
  const node = plan.nodes[index];
  if (node === undefined) {
    throw new RangeError(`cluster ${plan.name} has no node ${index}: its nodes are 0 to ${plan.nodes.length - 1}`);
  }
  return node;
};

/** Labels of a node, as feature discovery writes them; none where there is no device. */
export const deviceLabels = (node: NodePlan, devices: number): Record<string, string> =>
  devices === 0
    ? {}
    : {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": node.product.name,
        "nvidia.com/gpu.memory": String(node.product.memoryMiB),
        "nvidia.com/gpu.count": String(devices),
      };

/** The file that the device plugin reads: one device a line, the first `unhealthy` of them marked so. */
export const deviceList = (node: NodePlan, count: number, unhealthy: number): string =>
  Array.from({ length: count }, (_, i) => `GPU-${node.name}-${i}${i < unhealthy ? " unhealthy" : ""}\n`).join("");

/** Paths below the instance's directory. */
export const paths = (plan: Plan) => ({
  certificates: join(plan.directory, "certificates"),
  /** For processes in the cluster's network. */
  kubeconfig: join(plan.directory, "kubeconfig"),
  /** For processes on the host. */
  hostKubeconfig: join(plan.directory, "host.kubeconfig"),
  /** The host's address of the API server, as `machine expose` prints it. */
  exposed: join(plan.directory, "expose.address"),
  exposePid: join(plan.directory, "expose.pid"),
  /** Written last: a directory without it belongs to a cluster that never came up. */
  record: join(plan.directory, "cluster.json"),
});

export const nodePaths = (node: NodePlan) => ({
  init: join(node.directory, "init.pid"),
  initReady: join(node.directory, "init.ready"),
  pid: (component: string) => join(node.directory, `${component}.pid`),
  log: (component: string) => join(node.directory, "log", `${component}.log`),
  logs: join(node.directory, "log"),
  devices: join(node.directory, "devices"),
  containerdRoot: join(node.directory, "containerd"),
  cniConfig: join(node.directory, "cni"),
  cniState: join(node.directory, "cni-state"),
  kubelet: join(node.directory, "kubelet"),
  podLogs: join(node.directory, "pod-logs"),
});

export const networkNamespaceFile = (node: NodePlan): string => join("/run/netns", node.networkNamespace);
