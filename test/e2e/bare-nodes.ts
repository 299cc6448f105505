/** Nodes that no kubelet is behind, for the scheduler alone: what placement.test.ts puts on them never runs. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createSurvey } from "../../operator/cluster/capacity/survey.ts";
import type { Room } from "../../operator/domain/placement/room.ts";
import type {
  DeviceClass,
  KubeObject,
  Node,
  Pod,
  Resource,
  ResourceClaim,
  ResourceSlice,
} from "../../operator/platform/kube/objects.ts";
import {
  DEVICE_CLASSES,
  NODES,
  PODS,
  RESOURCE_SLICES,
  SERVICE_ACCOUNTS,
} from "../../operator/platform/kube/resources.ts";
import { connect } from "../engine/connection.ts";

type PodSpec = NonNullable<Pod["spec"]>;

export const NAMESPACE = "e2e-placement";
/** Also of nodes and other objects without a namespace. */
const OURS = "berth-e2e-placement";
/** It keeps everybody else away. */
const TAINT = { key: "berth.dev/e2e-placement", effect: "NoSchedule" };
/** A node of which nothing is heard gets the others in time. */
export const TOLERATIONS = [TAINT.key, "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map((key) => ({
  key,
  operator: "Exists",
}));

const clusterWide = <T extends KubeObject>(apiVersion: string, kind: string, plural: string): Resource<T> => ({
  ...{ apiVersion, kind, plural, namespaced: false },
});
const NAMESPACES = clusterWide("v1", "Namespace", "namespaces");
const RUNTIME_CLASSES: Resource<KubeObject & { handler: string; overhead: object }> = clusterWide(
  ...(["node.k8s.io/v1", "RuntimeClass", "runtimeclasses"] as const),
);
const CLAIM_TEMPLATES: Resource<KubeObject & { spec: { spec: ResourceClaim["spec"] } }> = {
  ...{ apiVersion: "resource.k8s.io/v1", kind: "ResourceClaimTemplate", plural: "resourceclaimtemplates" },
  namespaced: true,
};

const { client, transport } = connect();
const manager = { fieldManager: OURS };
const nodes: string[] = [];

export const nodeName = (name: string | number): string => `${OURS}-${name}`;

export const enter = async (): Promise<void> => {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  await client.create(NAMESPACES, namespace, manager);
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "nobody", namespace: NAMESPACE } };
  await client.create(SERVICE_ACCOUNTS, account, manager);
  const { apiVersion, kind } = RUNTIME_CLASSES;
  const overhead = { podFixed: { cpu: "125m", memory: "33Mi" } };
  await client.create(
    RUNTIME_CLASSES,
    { apiVersion, kind, metadata: { name: OURS }, handler: "heavy", overhead },
    manager,
  );
};

export const leave = async (): Promise<void> => {
  const gone = <T extends KubeObject>(resource: Resource<T>, name: string) =>
    client.delete(resource, { namespace: "", name }).catch(() => undefined);
  await atOnce(nodes, (name) => gone(NODES, name));
  await Promise.all([gone(RUNTIME_CLASSES, OURS), gone(NAMESPACES, NAMESPACE)]);
  await Promise.all([gone(DEVICE_CLASSES, OURS), gone(RESOURCE_SLICES, OURS)]);
  await transport.close();
};

/** A dozen at a time. */
export const atOnce = async <T>(items: readonly T[], act: (item: T, at: number) => Promise<unknown>): Promise<void> => {
  const left = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await act(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: 12 }, worker));
};

type Made = { allocatable: Record<string, string> } & Partial<
  Pick<NonNullable<Node["spec"]>, "taints" | "unschedulable">
>;

export const createNode = async (
  name: string,
  { allocatable, taints = [], unschedulable = false }: Made,
  labels = {},
) => {
  nodes.push(name);
  const spec = { unschedulable, taints: [TAINT, ...taints] };
  const status = { capacity: allocatable, allocatable };
  await client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec, status }, manager);
};

/** As the API server has it then; `runtimeClassName` is that of the only one with an overhead, whatever its name. */
export const createPod = async (name: string, { runtimeClassName, ...spec }: PodSpec): Promise<PodSpec> => {
  const heavy = runtimeClassName === undefined ? {} : { runtimeClassName: OURS };
  const nobody = { serviceAccountName: "nobody", automountServiceAccountToken: false };
  const metadata = { name, namespace: NAMESPACE };
  const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata, spec: { ...nobody, ...spec, ...heavy } };
  const created = await client.create(PODS, pod, manager);
  assert.ok(created.spec);
  return created.spec;
};

export const setStatus = (name: string, status: Pod["status"]): Promise<Pod> => {
  const patch = { metadata: { name, namespace: NAMESPACE }, status };
  return client.patch(PODS, patch, { ...manager, subresource: "status" });
};

/** Devices of a node that claims may have, and a template for a claim of one of them. */
export const createDevices = async (node: string, count: number): Promise<{ template: string }> => {
  const driver = "berth-e2e-placement.example.com";
  const expression = `device.driver == "${driver}"`;
  const deviceClass: DeviceClass = {
    ...{ apiVersion: DEVICE_CLASSES.apiVersion, kind: DEVICE_CLASSES.kind, metadata: { name: OURS } },
    spec: { selectors: [{ cel: { expression } }] },
  };
  await client.create(DEVICE_CLASSES, deviceClass, manager);
  const devices = Array.from({ length: count }, (_, at) => ({ name: `device-${at}` }));
  const pool = { name: node, generation: 1, resourceSliceCount: 1 };
  const slice: ResourceSlice = {
    ...{ apiVersion: RESOURCE_SLICES.apiVersion, kind: RESOURCE_SLICES.kind, metadata: { name: OURS } },
    spec: { driver, nodeName: node, pool, devices },
  };
  await client.create(RESOURCE_SLICES, slice, manager);
  const { apiVersion, kind } = CLAIM_TEMPLATES;
  const spec = { devices: { requests: [{ name: "one", exactly: { deviceClassName: OURS } }] } };
  const metadata = { name: "one", namespace: NAMESPACE };
  await client.create(CLAIM_TEMPLATES, { apiVersion, kind, metadata, spec: { spec } }, manager);
  return { template: "one" };
};

/** What the nodes have left now. */
export const rooms = async (): Promise<Room[]> => {
  const surveyed = await createSurvey(client, assert.ifError)(0);
  assert.ok(surveyed);
  return surveyed.rooms;
};

/** What the scheduler says of a pod that it has looked at when it knew of all nodes: `scheduled`, or why not. */
const answerTo = ({ spec, status }: Pod, nodes: number): string | undefined => {
  if (spec?.nodeName) return "scheduled";
  const { message = "" } = status?.conditions?.find(({ reason }) => reason === "Unschedulable") ?? {};
  return message.startsWith(`0/${nodes} `) ? message : undefined;
};

/** So much time has the scheduler for all of them, on a machine that has other things to do. Milliseconds. */
const PATIENCE_MS = 300_000;

/** The scheduler's answers to the pods with this prefix, once it has given the last one, by `isLast`, to `count` of them. */
export const answers = async (
  nodes: number,
  prefix: string,
  count: number,
  isLast: (answer: string) => boolean = () => true,
): Promise<Map<string, string>> => {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const { items } = await client.list(PODS, { namespace: NAMESPACE });
    const given = items.flatMap((pod) => {
      const answer = pod.metadata.name.startsWith(prefix) ? answerTo(pod, nodes) : undefined;
      return answer === undefined || !isLast(answer) ? [] : [[pod.metadata.name, answer] as const];
    });
    if (given.length === count) return new Map(given);
    assert.ok(Date.now() < end, `the scheduler has answered to ${given.length} of ${count} pods ${prefix}…`);
    await sleep(300);
  }
};
