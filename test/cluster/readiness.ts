import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import type { Api } from "./api.ts";
import { succeeds } from "./commands.ts";
import type { Component } from "./components/component.ts";
import { ClusterError } from "./errors.ts";
import { inNode } from "./node.ts";
import { type NodePlan, nodePaths } from "./plan.ts";
import { alive, tail } from "./processes.ts";

const interval = 50; // ms between two questions

/**
 * Asks until the answer is true.
 * @param broken a reason to give up at once, asked for between the questions
 */
export const until = async (
  what: string,
  check: () => boolean | Promise<boolean>,
  broken: () => string | undefined = () => undefined,
): Promise<void> => {
  for (const deadline = Date.now() + CLUSTER_PATIENCE_S * 1000; !(await check()); await sleep(interval)) {
    const reason = broken();
    if (reason !== undefined) throw new ClusterError(`${what}: ${reason}`);
    if (Date.now() > deadline) throw new ClusterError(`${what}: not within ${CLUSTER_PATIENCE_S} s`);
  }
};

/** Why a component cannot become ready, or undefined while it runs. */
export const ended = (node: NodePlan, component: string): string | undefined => {
  const files = nodePaths(node);
  if (alive(files.pid(component)) !== undefined) return undefined;
  return `${component} has ended; its log ${files.log(component)} ends with\n${tail(files.log(component), 8)}`;
};

/** Resolves when the component's probe passes. One without a probe is ready when it runs. */
export const componentReady = async (node: NodePlan, component: Component): Promise<void> => {
  const { probe, name } = component;
  if (probe === undefined) return;
  const check = () => succeeds(inNode(node, probe));
  await until(`${name} on ${node.name}`, check, () => ended(node, name));
};

export const apiReady = (api: Api, node: NodePlan): Promise<void> =>
  until(
    "the API server is ready",
    async () => (await api.read("/readyz")) === "ok",
    () => ended(node, "kube-apiserver"),
  );

const nodeStatus = z.object({
  status: z.object({
    allocatable: z.record(z.string(), z.string()).default({}),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
  }),
});

export type NodeState = { ready: boolean; devices: number };

/** What the API server knows of a node; undefined if it knows none or does not answer. */
export const nodeState = async (api: Api, node: NodePlan): Promise<NodeState | undefined> => {
  const answer = await api.read(`/api/v1/nodes/${node.name}`);
  if (answer === undefined) return undefined;
  const { status } = nodeStatus.parse(answer);
  return {
    ready: status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True"),
    devices: Number(status.allocatable["nvidia.com/gpu"] ?? 0),
  };
};

export const nodeReady = (api: Api, node: NodePlan): Promise<void> =>
  until(
    `${node.name} is Ready`,
    async () => (await nodeState(api, node))?.ready === true,
    () => ended(node, "kubelet"),
  );

export const devicesAllocatable = (api: Api, node: NodePlan, count: number): Promise<void> =>
  until(
    `${count} devices are allocatable on ${node.name}`,
    async () => (await nodeState(api, node))?.devices === count,
    () => ended(node, "devices"),
  );

export const exists = (api: Api, path: string): Promise<void> =>
  until(`${path} exists`, async () => (await api.read(path)) !== undefined);
