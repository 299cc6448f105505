/** Who gets what the nodes have left, where several want it. Pure. */
import { admits } from "./admits.ts";
import { takes, without } from "./fits.ts";
import { type PodSpec, requestOf } from "./request.ts";
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
  /** Pods that each may have, by its key: one more than is sure to fit, where only the scheduler knows whether it does. */
  granted: ReadonlyMap<string, number>;
  /** What the nodes have left then. */
  left: readonly Room[];
};

/**
 * Who may have what. Whoever has the higher priority gets all that it wants before others get anything, and so does the
 * older of two equal ones: they do not take turns in taking it from each other.
 */
export const allocate = (rooms: readonly Room[], claims: readonly Claim[]): Allocation => {
  const left = [...rooms];
  const order = claims.toSorted(
    (one, other) => other.priority - one.priority || one.since - other.since || (one.key < other.key ? -1 : 1),
  );
  const granted = new Map(order.map((claim) => [claim.key, place(left, claim)] as const));
  return { granted, left };
};

/** So many of its pods find a place in `left`, which has less then. */
const place = (left: Room[], { more, spec }: Claim): number => {
  const request = requestOf(spec);
  let count = 0;
  let perhaps: [number, Room] | undefined;
  for (const [at, room] of left.entries()) {
    if (count >= more) break;
    if (!admits(room, spec)) continue;
    let rest = room;
    let answer = takes(rest, request);
    for (; count < more && answer === "yes"; answer = takes(rest, request)) {
      rest = without(rest, request);
      count++;
    }
    left[at] = rest;
    if (answer === "perhaps") perhaps ??= [at, rest];
  }
  if (count >= more || perhaps === undefined) return count;
  left[perhaps[0]] = without(perhaps[1], request);
  return count + 1;
};

/** What is free of one resource on the nodes that would take the pod, in billionths of its unit. */
export const freeOf = (rooms: readonly Room[], spec: PodSpec, resource: string): bigint =>
  rooms
    .filter((room) => admits(room, spec))
    .reduce((sum, { free }) => {
      const amount = free.get(resource) ?? 0n;
      return amount > 0n ? sum + amount : sum;
    }, 0n);
