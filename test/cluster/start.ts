import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Component, flags, type Programs } from "./components/component.ts";
import { kubelet } from "./components/kubelet.ts";
import { ClusterError } from "./errors.ts";
import { inNode } from "./node.ts";
import { type NodePlan, nodePaths } from "./plan.ts";
import { alive, start } from "./processes.ts";
import { componentReady, ended } from "./readiness.ts";
import type { Instance } from "./state.ts";

/** Where distributions put the CNI plugins: Debian first, then what most others and the plugins' own docs use. */
const cniDirectories = ["/usr/lib/cni", "/opt/cni/bin"];

const programs = ({ tools }: Instance): Programs => {
  const cniPlugins = cniDirectories.find((directory) => existsSync(`${directory}/bridge`));
  if (cniPlugins === undefined) {
    throw new ClusterError(`no CNI plugins in ${cniDirectories.join(" or ")}: install containernetworking-plugins`);
  }
  return { machine: tools.machine, cniPlugins };
};

/** Starts a component on a node, unless it runs. Does not wait for it to serve. */
export const startComponent = async (instance: Instance, node: NodePlan, component: Component): Promise<void> => {
  const { name, files, command } = component;
  const at = nodePaths(node);
  if (alive(at.pid(name)) !== undefined) return;
  const installed = programs(instance);
  for (const [path, text] of Object.entries(files?.(instance.plan, node, installed) ?? {})) await writeFile(path, text);
  await start({
    command: inNode(node, [...command(instance.plan, node, installed), ...flags(instance.plan.flags[name] ?? {})]),
    pidFile: at.pid(name),
    log: at.log(name),
    wrapped: true,
  });
};

const kubeletAttempts = 10;

/**
 * Starts a component and waits until it serves. A kubelet that comes before containerd's runtime interface, whose
 * socket answers earlier, exits: it is started again.
 */
export const startAndWait = async (instance: Instance, node: NodePlan, component: Component): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    await startComponent(instance, node, component);
    try {
      return await componentReady(node, component);
    } catch (error) {
      if (component !== kubelet || attempt === kubeletAttempts || ended(node, kubelet.name) === undefined) throw error;
      await sleep(300);
    }
  }
};
