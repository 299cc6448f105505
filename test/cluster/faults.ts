import { writeFile } from "node:fs/promises";
import { apiOf } from "./api.ts";
import type { Component } from "./components/component.ts";
import { containerd } from "./components/containerd.ts";
import { devices } from "./components/devices.ts";
import { componentNames, components } from "./components/index.ts";
import { kubeApiserver } from "./components/kube-apiserver.ts";
import { kubeProxy } from "./components/kube-proxy.ts";
import { kubelet } from "./components/kubelet.ts";
import { ClusterError } from "./errors.ts";
import { setLink } from "./networks.ts";
import { bootNode } from "./node.ts";
import { controlNode, deviceList, maxDevices, type NodePlan, nodeAt, nodePaths, type Plan } from "./plan.ts";
import { alive, end } from "./processes.ts";
import { apiReady, componentReady, devicesAllocatable, nodeReady } from "./readiness.ts";
import { startAndWait, startComponent } from "./start.ts";
import type { Instance } from "./state.ts";

const componentOn = (plan: Plan, name: string, index: number): { component: Component; node: NodePlan } => {
  const component = components.find((candidate) => candidate.name === name);
  if (component === undefined) throw new ClusterError(`no component "${name}": there are ${componentNames.join(", ")}`);
  const node = nodeAt(plan, index);
  if (component.place === "control plane" && index !== 0) {
    throw new ClusterError(`${name} is part of the control plane, which is on node 0 only`);
  }
  return { component, node };
};

/** A node that can be lost: the control plane is on node 0. */
const workerAt = (plan: Plan, index: number, what: string): NodePlan => {
  if (index === 0) throw new ClusterError(`${what} is not for node 0, which has the control plane`);
  return nodeAt(plan, index);
};

export const crash = async ({ plan }: Instance, name: string, index: number): Promise<void> => {
  const { component, node } = componentOn(plan, name, index);
  const file = nodePaths(node).pid(component.name);
  if (alive(file) === undefined) throw new ClusterError(`${name} on ${node.name} does not run`);
  await end(file);
};

export const revive = async (instance: Instance, name: string, index: number): Promise<void> => {
  const { component, node } = componentOn(instance.plan, name, index);
  await startAndWait(instance, node, component);
  if (component === kubeApiserver) await apiReady(apiOf(instance.plan), controlNode(instance.plan));
};

export const power = async (instance: Instance, index: number, state: "on" | "off"): Promise<void> => {
  const node = workerAt(instance.plan, index, "power");
  const { init } = nodePaths(node);
  if (state === "off") return end(init);
  if (alive(init) !== undefined) return;
  await bootNode(node, instance.plan.devices);
  await startAndWait(instance, node, containerd);
  await Promise.all([
    startAndWait(instance, node, kubelet),
    startComponent(instance, node, kubeProxy),
    startComponent(instance, node, devices),
  ]);
  await Promise.all([nodeReady(apiOf(instance.plan), node), componentReady(node, kubeProxy)]);
};

export const link = async (instance: Instance, index: number, state: "up" | "down"): Promise<void> =>
  setLink(instance.plan, workerAt(instance.plan, index, "link"), state);

export const setDevices = async (
  instance: Instance,
  index: number,
  count: number,
  unhealthy: number,
): Promise<void> => {
  const node = nodeAt(instance.plan, index);
  if (!(Number.isInteger(count) && count >= 0 && count <= maxDevices)) {
    throw new ClusterError(`devices: ${count} is not a whole number from 0 to ${maxDevices}`);
  }
  if (!(Number.isInteger(unhealthy) && unhealthy >= 0 && unhealthy <= count)) {
    throw new ClusterError(`unhealthy devices: ${unhealthy} is not a whole number from 0 to ${count}`);
  }
  await writeFile(nodePaths(node).devices, deviceList(node, count, unhealthy));
  await devicesAllocatable(apiOf(instance.plan), node, count - unhealthy);
};
