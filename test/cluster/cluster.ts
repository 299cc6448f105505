import { dirname } from "node:path";
import { type RunOptions, run } from "./commands.ts";
import { down } from "./down.ts";
import { ClusterError } from "./errors.ts";
import { crash, link, power, revive, setDevices } from "./faults.ts";
import { importImages } from "./images.ts";
import { readLogs } from "./logs.ts";
import { inNetworkOf } from "./node.ts";
import { controlNode, paths } from "./plan.ts";
import { checkName, type Instance, readInstance } from "./state.ts";
import type { Cluster } from "./types.ts";

/** The cluster of that name, which `up` has brought up. */
export const openCluster = (name: string): Cluster => clusterOf(requireInstance(name));

const requireInstance = (name: string): Instance => {
  const instance = readInstance(checkName(name));
  if (instance !== undefined) return instance;
  throw new ClusterError(`cluster ${name} is not up: npm run cluster -- up --name ${name}`);
};

const clusterOf = (instance: Instance): Cluster => {
  const { plan, tools } = instance;
  const { kubeconfig, hostKubeconfig } = paths(plan);
  const inside = (command: readonly string[]): string[] => {
    const path = `PATH=${dirname(tools.machine)}:${process.env.PATH ?? ""}`;
    return inNetworkOf(controlNode(plan), ["env", path, `KUBECONFIG=${kubeconfig}`, ...command]);
  };
  const runInside = (command: readonly string[], options: RunOptions = {}) => run(inside(command), options);
  return {
    name: plan.name,
    own: true,
    nodes: plan.nodes.map((node) => node.name),
    kubeconfig,
    hostKubeconfig,
    inside,
    run: runInside,
    kubectl: (args, options) => runInside([tools.machine, "kubectl", ...args], options),
    load: async (archives) => {
      await Promise.all(plan.nodes.map((node) => importImages(node, archives)));
    },
    crash: (component, node = 0) => crash(instance, component, node),
    revive: (component, node = 0) => revive(instance, component, node),
    power: (node, state) => power(instance, node, state),
    link: (node, state) => link(instance, node, state),
    devices: (node, count, unhealthy = 0) => setDevices(instance, node, count, unhealthy),
    logs: async (query = {}) => readLogs(plan, query),
    down: () => down(plan.name, () => {}),
  };
};
