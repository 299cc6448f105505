import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { run } from "./commands.ts";
import { controlNode, type NodePlan, network, networkNamespaceFile, networkNamespaceOf, type Plan } from "./plan.ts";
import { endProcess } from "./processes.ts";

const directory = "/run/netns";

/** One `ip -batch` a namespace. Nothing is ever made in the host's own network. */
const configure = (namespace: string, lines: readonly string[]) =>
  run(["ip", "-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });

/**
 * A network namespace for each node. Node 0 has a bridge, the others hang off it by a veth pair. There is no way
 * out: what is not in the cluster is unreachable at once, instead of after a timeout.
 */
export const makeNetworks = async (plan: Plan): Promise<void> => {
  const { bridge } = network;
  const control = controlNode(plan).networkNamespace;
  await Promise.all(plan.nodes.map((node) => run(["ip", "netns", "add", node.networkNamespace])));
  await configure(control, [
    `link add ${bridge} type bridge`,
    ...plan.nodes
      .slice(1)
      .map((node) => `link add ${node.name} type veth peer name ${bridge} netns ${node.networkNamespace}`),
    ...plan.nodes.slice(1).map((node) => `link set ${node.name} master ${bridge} up`),
  ]);
  await Promise.all(plan.nodes.map((node) => configure(node.networkNamespace, nodeNetwork(plan, node))));
};

/** The `ip` commands of one node, whose link to the bridge exists already. */
export const nodeNetwork = (plan: Plan, node: NodePlan): string[] => [
  "link set lo up",
  `addr add ${node.address}/24 dev ${network.bridge}`,
  `link set ${network.bridge} up`,
  ...plan.nodes.filter((other) => other !== node).map((other) => `route add ${other.podRange} via ${other.address}`),
  // The kernel routes before kube-proxy rewrites the destination: without a route a node reaches no Service.
  `route add ${network.serviceRange} dev ${network.bridge} src ${node.address}`,
  "route add unreachable default",
  ...(node.ipv6 === undefined ? [] : ipv6Network(plan, node.ipv6)),
];

/** No other node has the address: asking whether one has would take a second. */
const ipv6Network = (plan: Plan, { address }: NonNullable<NodePlan["ipv6"]>): string[] => [
  `addr add ${address}/64 dev ${network.bridge} nodad`,
  ...plan.nodes.flatMap(({ ipv6 }) =>
    ipv6 === undefined || ipv6.address === address ? [] : [`route add ${ipv6.podRange} via ${ipv6.address}`],
  ),
  `route add ${network.ipv6.serviceRange} dev ${network.bridge} src ${address}`,
  "route add unreachable ::/0",
];

/** Cuts a node off from the others, or joins it again. */
export const setLink = async (plan: Plan, node: NodePlan, state: "up" | "down"): Promise<void> => {
  await configure(controlNode(plan).networkNamespace, [`link set ${node.name} ${state}`]);
};

/** The namespaces of an instance that exist, whatever its plan was. */
const namespacesOf = (cluster: string): string[] => {
  const prefix = networkNamespaceOf(cluster, 0).slice(0, -1);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).filter((name) => name.startsWith(prefix) && /^\d$/.test(name.slice(prefix.length)));
};

/** Names of the instances that have a network namespace. */
export const clustersWithNetworks = (): string[] => {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((name) => /^berth-([a-z0-9]{1,8})-\d$/.exec(name)?.[1] ?? []);
};

/** Whether this process is in the cluster's network. */
export const isInside = (plan: Plan): boolean => {
  const file = networkNamespaceFile(controlNode(plan));
  return existsSync(file) && statSync(file).ino === statSync("/proc/self/ns/net").ino;
};

/**
 * Ends every node whose network is the instance's, known by pid file or not: a process that is the first of a pid
 * namespace takes all of that namespace with it. Then removes the networks, links and routes with them.
 */
export const removeNetworks = async (cluster: string): Promise<void> => {
  const namespaces = namespacesOf(cluster);
  const inodes = new Set(namespaces.map((name) => `net:[${statSync(join(directory, name)).ino}]`));
  if (inodes.size > 0) await Promise.all(nodeInits(inodes).map(endProcess));
  for (const name of namespaces) await run(["ip", "netns", "del", name]);
};

const nodeInits = (networks: ReadonlySet<string>): number[] =>
  readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          networks.has(readlinkSync(`/proc/${pid}/ns/net`)) &&
          isNamespaceInit(readFileSync(`/proc/${pid}/status`, "utf8"))
        );
      } catch {
        return false; // it has ended meanwhile
      }
    });

/** From /proc/PID/status: whether the process is pid 1 of a pid namespace below ours ("NSpid: 4711 1"). */
export const isNamespaceInit = (status: string): boolean => /^NSpid:(\s+\d+)+\s+1$/m.test(status);
