/** Who gets what the nodes have left, where several want it. Pure. */
import { admits } from "./admits.ts";
import { minus, type PodSpec, requestOf } from "./request.ts";
import type { Room } from "./room.ts";

export type Claim = {
  key: string;
  spec: PodSpec;
  /** Pods that it wants beside those that have a node. */
  more: number;
  /** Of its priority class: the greater is served first ... */
  priority: number;
  /** ... and of equal ones the older. Milliseconds since 1970. */
  since: number;
};

export type Allocation = {
  /** Pods that each may have, by its key. */
  granted: ReadonlyMap<string, number>;
  /** What the nodes have left then. */
  left: readonly Room[];
};

/**
 * Who may have what. Whoever has the higher priority gets all that it wants before others get anything, and so does the
 * older of two equal ones: they do not take turns in taking it from each other.
 */
export const allocate = (rooms: readonly Room[], claims: readonly Claim[]): Allocation => {
  const left = rooms.map((room) => ({ ...room }));
  const order = claims.toSorted(
    (one, other) => other.priority - one.priority || one.since - other.since || (one.key < other.key ? -1 : 1),
  );
  const granted = new Map<string, number>();
  for (const { key, more, spec } of order) {
    const request = requestOf(spec);
    let count = 0;
    for (const room of left) {
      if (!admits(room, spec)) continue;
      while (
        count < more &&
        [...request].every(([name, asked]) => asked <= 0n || (room.free.get(name) ?? 0n) >= asked)
      ) {
        room.free = minus(room.free, request);
        count++;
      }
    }
    granted.set(key, count);
  }
  return { granted, left };
};

/** What is free of one resource on the nodes that would take the pod, in billionths of its unit. */
export const freeOf = (rooms: readonly Room[], spec: PodSpec, resource: string): bigint =>
  rooms
    .filter((room) => admits(room, spec))
    .reduce((sum, { free }) => {
      const amount = free.get(resource) ?? 0n;
      return amount > 0n ? sum + amount : sum;
    }, 0n);
