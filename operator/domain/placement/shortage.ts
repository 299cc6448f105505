/** By how much a pod does not fit. Pure. */
import { admits } from "./admits.ts";
import { type PodSpec, requestOf } from "./request.ts";
import type { Room } from "./room.ts";

/** In billionths of the resource's unit; `free` is never below zero. */
export type Shortage = { node: string; lacks: bigint; free: bigint; total: bigint };

/** Of one resource, on each node that would take the pod and has too little of it; the nearest to enough comes first. */
export const shortagesOf = (rooms: readonly Room[], spec: PodSpec, resource: string): Shortage[] => {
  const wanted = requestOf(spec).get(resource) ?? 0n;
  return rooms
    .filter((room) => admits(room, spec))
    .map(({ free, node, total }) => {
      const left = free.get(resource) ?? 0n;
      return { node, lacks: wanted - left, free: left < 0n ? 0n : left, total: total.get(resource) ?? 0n };
    })
    .filter(({ lacks }) => lacks > 0n)
    .toSorted((one, other) => Number(one.lacks - other.lacks) || (one.node < other.node ? -1 : 1));
};
