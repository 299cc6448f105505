/** What each node has left. Pure. */
import type { Node, Pod } from "../kube/objects.ts";
import { type Devices, devicesOn, type Inventory } from "./claimed.ts";
import { type Amounts, amountsOf, inUnits, minus, plus, requestOf } from "./request.ts";

export type Room = {
  node: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  /** What pods may have of it. */
  total: Amounts;
  /** What is left of that; below zero where more is promised than there is, as when a device is gone. */
  free: Amounts;
  /** Left out: no DeviceClass offers anything, and what claims may have is not known. */
  devices?: Devices;
};

export type Taint = { key: string; effect: string; value?: string };

/** What pods that are not over take of each node, by the node's name. */
export type Taken = ReadonlyMap<string, Amounts>;

export const take = (taken: Taken, pods: readonly Pod[]): Taken => {
  const sums = new Map(taken);
  for (const { spec, status } of pods) {
    const node = spec?.nodeName;
    if (spec === undefined || node === undefined || status?.phase === "Succeeded" || status?.phase === "Failed")
      continue;
    sums.set(node, plus(sums.get(node) ?? new Map(), requestOf(spec, status)));
  }
  return sums;
};

export const roomsOf = (nodes: readonly Node[], taken: Taken, inventory?: Inventory): Room[] =>
  nodes.map(({ metadata, spec, status }) => {
    const total = inUnits(amountsOf(status?.allocatable));
    return {
      node: metadata.name,
      labels: metadata.labels ?? {},
      // The node controller turns `unschedulable` into a taint, a moment later.
      taints: [
        ...(spec?.taints ?? []),
        ...(spec?.unschedulable ? [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }] : []),
      ],
      total,
      free: minus(total, taken.get(metadata.name) ?? new Map()),
      ...(inventory === undefined ? {} : { devices: devicesOn(inventory, metadata.name) }),
    };
  });
