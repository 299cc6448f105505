/** Who gets what the nodes have left, where several want it. Pure. */
import { admits } from "./admits.ts";
import { takes, without } from "./fits.ts";
import { type Amounts, type PodSpec, requestOf } from "./request.ts";
import type { Room } from "./room.ts";
import { createPause, type Pause, type Sliced } from "./slices.ts";

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
export function* allocate(rooms: readonly Room[], claims: readonly Claim[]): Sliced<Allocation> {
  const left = [...rooms];
  const order = claims.toSorted(
    (one, other) => other.priority - one.priority || one.since - other.since || (one.key < other.key ? -1 : 1),
  );
  const open = new Map<string, number[]>();
  const granted = new Map<string, number>();
  const pause = createPause();
  for (const claim of order) {
    yield* pause(STEPS_OF_A_CLAIM);
    granted.set(claim.key, yield* place(left, claim, open, pause));
  }
  return { granted, left };
}

/** What its pods ask for has to be added up. */
const STEPS_OF_A_CLAIM = 20;

/**
 * So many of its pods find a place in `left`, which has less then.
 *
 * @param open by the kind of pod, the nodes that may take one more: whoever has no room for one has none for the next
 */
function* place(left: Room[], { more, spec }: Claim, open: Map<string, number[]>, pause: Pause): Sliced<number> {
  const request = requestOf(spec);
  const kind = kindOf(spec, request);
  const closed = new Set<number>();
  const nodes = open.get(kind) ?? [...left.keys()];
  let count = 0;
  let perhaps: [number, Room] | undefined;
  for (const at of nodes) {
    yield* pause(1);
    if (count >= more) break;
    const room = left[at];
    if (room === undefined || !admits(room, spec)) {
      closed.add(at);
      continue;
    }
    let rest = room;
    let answer = takes(rest, request);
    for (; count < more && answer === "yes"; answer = takes(rest, request)) {
      yield* pause(1);
      rest = without(rest, request);
      count++;
    }
    left[at] = rest;
    if (answer === "no") closed.add(at);
    if (answer === "perhaps") perhaps ??= [at, rest];
  }
  open.set(kind, closed.size === 0 ? nodes : nodes.filter((at) => !closed.has(at)));
  if (count >= more || perhaps === undefined) return count;
  left[perhaps[0]] = without(perhaps[1], request);
  return count + 1;
}

/** Pods of one kind fit the same nodes. */
const kindOf = ({ affinity, nodeSelector, tolerations }: PodSpec, request: Amounts): string =>
  JSON.stringify([
    affinity?.nodeAffinity,
    nodeSelector,
    tolerations,
    [...request].map(([name, asked]) => [name, String(asked)]),
  ]);

/** What is free of one resource on the nodes that would take the pod, in billionths of its unit. */
export function* freeOf(rooms: readonly Room[], spec: PodSpec, resource: string): Sliced<bigint> {
  const pause = createPause();
  let sum = 0n;
  for (const room of rooms) {
    yield* pause(1);
    const amount = admits(room, spec) ? (room.free.get(resource) ?? 0n) : 0n;
    if (amount > 0n) sum += amount;
  }
  return sum;
}
