/** What each node has left. Pure. */
import type { Node, Pod } from "../../platform/kube/objects.ts";
import { type Devices, devicesOn, type Inventory } from "./claimed.ts";
import { type Amounts, addTo, amountsOf, inUnits, minus, requestOf } from "./request.ts";
import { createPause, type Sliced } from "./slices.ts";

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
export type Taken = Map<string, Map<string, bigint>>;

/** Adds what one more pod takes to `taken`. */
export const take = (taken: Taken, { spec, status }: Pod): void => {
  const node = spec?.nodeName;
  if (spec === undefined || node === undefined || status?.phase === "Succeeded" || status?.phase === "Failed") return;
  taken.set(node, addTo(taken.get(node) ?? new Map(), requestOf(spec, status)));
};

export function* roomsOf(nodes: readonly Node[], taken: Taken, inventory?: Inventory): Sliced<Room[]> {
  const pause = createPause();
  const rooms: Room[] = [];
  for (const { metadata, spec, status } of nodes) {
    const total = inUnits(amountsOf(status?.allocatable));
    const held: Amounts = taken.get(metadata.name) ?? new Map();
    yield* pause(1 + total.size + held.size);
    rooms.push({
      node: metadata.name,
      labels: metadata.labels ?? {},
      // The node controller turns `unschedulable` into a taint, a moment later.
      taints: [
        ...(spec?.taints ?? []),
        ...(spec?.unschedulable ? [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }] : []),
      ],
      total,
      free: minus(total, held),
      ...(inventory === undefined ? {} : { devices: devicesOn(inventory, metadata.name) }),
    });
  }
  return rooms;
}
