import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "../world/patience.ts";
import { makeCgroup } from "./cgroups.ts";
import { ClusterError } from "./errors.ts";
import { deviceList, type NodePlan, networkNamespaceFile, nodePaths } from "./plan.ts";
import { alive, start, tail } from "./processes.ts";

/**
 * What a node's first process does. Its mounts give the node its own copy of every directory that Kubernetes and
 * containerd expect by name, so that several nodes live on one machine with all paths at their defaults. They vanish
 * with the mount namespace. It is a shell, because whoever is pid 1 must reap the orphans of the namespace.
 * $1 kubelet, $2 CNI state, $3 pod logs, $4 file that says "ready"
 */
const initScript = `set -e
mount --make-rshared /
mkdir -p /run/containerd /run/netns /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers
for volatile in /run/netns /run/containerd /var/log/containers; do mount -t tmpfs tmpfs $volatile; done
mount --bind "$1" /var/lib/kubelet
mount --bind "$2" /var/lib/cni
mount --bind "$3" /var/log/pods
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
if [ -e /proc/sys/net/ipv6 ]; then echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; fi
touch "$4"
trap "exit 0" TERM
while :; do sleep 86400 & wait $!; done`;

/** Runs a command in the node's network, mounts and processes. */
export const inNode = (node: NodePlan, command: readonly string[]): string[] => {
  const init = alive(nodePaths(node).init);
  if (init === undefined) throw new ClusterError(`${node.name} is powered off`);
  return ["nsenter", "-t", String(init), "-m", "-p", "-n", "--", ...command];
};

/** Runs a command in the node's network only: it sees the host's files. */
export const inNetworkOf = (node: NodePlan, command: readonly string[]): string[] => [
  "nsenter",
  `--net=${networkNamespaceFile(node)}`,
  "--",
  ...command,
];

/** Makes the node's directories and starts its first process. Its network must exist. */
export const bootNode = async (node: NodePlan, devices: number): Promise<void> => {
  const files = nodePaths(node);
  const directories = [files.logs, files.cniConfig, files.containerdRoot, files.cniState, files.kubelet, files.podLogs];
  for (const directory of directories) await mkdir(directory, { recursive: true });
  await rm(files.initReady, { force: true });
  if (!existsSync(files.devices)) await writeFile(files.devices, deviceList(node, devices, 0));
  await makeCgroup(node);
  const unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
  const init = ["bash", "-c", initScript, "init", files.kubelet, files.cniState, files.podLogs, files.initReady];
  await start({
    command: inNetworkOf(node, [...unshare, ...init]),
    pidFile: files.init,
    log: files.log("init"),
    wrapped: true,
  });
  for (const deadline = Date.now() + PATIENCE_MS; !existsSync(files.initReady); await sleep(10)) {
    if (alive(files.init) === undefined || Date.now() > deadline) {
      throw new ClusterError(`${node.name} did not start: ${tail(files.log("init"), 5) || "no reason given"}`);
    }
  }
};
