/** How many more pods the nodes would take. Pure. */
import { admits } from "./admits.ts";
import { type Amounts, minus, ONE, OWN_CLAIMS, type PodSpec, requestOf, SHARED_CLAIMS } from "./request.ts";
import type { Room } from "./room.ts";
import { createPause, type Sliced } from "./slices.ts";

/**
 * Pods of this kind that fit beside what the nodes have, and how many of them are asked after at most. Undefined where some may
 * fit, and the scheduler alone knows how many, if any: then one is to be asked for.
 */
export function* fits(rooms: readonly Room[], spec: PodSpec, most: number): Sliced<number | undefined> {
  const request = requestOf(spec);
  const pause = createPause();
  let sum = 0;
  let isKnown = true;
  for (const room of rooms) {
    if (sum >= most) break;
    yield* pause(1);
    if (!admits(room, spec)) continue;
    const answer = takes(room, request);
    if (answer === "yes") sum += copies(room.free, request, most);
    isKnown &&= answer !== "perhaps";
  }
  if (sum >= most) return most;
  return isKnown ? sum : undefined;
}

/** Whether a node has room for one more; `perhaps`: for all that is counted, and what is not may be there. */
export const takes = (room: Room, request: Amounts): "yes" | "no" | "perhaps" => {
  let isCounted = true;
  for (const [resource, asked] of request) {
    if (asked <= 0n) continue;
    const most = mostOf(room, resource);
    if (most.amount !== undefined && most.amount < asked) return "no";
    isCounted &&= most.isExact;
  }
  return isCounted ? "yes" : "perhaps";
};

/** What may be left of a resource; undefined: any amount. */
const mostOf = (room: Room, resource: string): { amount: bigint | undefined; isExact: boolean } => {
  if (resource === SHARED_CLAIMS) return { amount: undefined, isExact: false };
  const unclaimed = room.devices?.unclaimed;
  const isBounded = unclaimed !== undefined && Number.isFinite(unclaimed);
  const devices = { amount: isBounded ? BigInt(unclaimed) * ONE : undefined, isExact: false };
  return resource === OWN_CLAIMS || isByClass(room, resource)
    ? devices
    : { amount: room.free.get(resource) ?? 0n, isExact: true };
};

/** The scheduler's rule: a DeviceClass offers it where the node itself has none. */
const isByClass = ({ devices, total }: Room, resource: string): boolean =>
  devices !== undefined &&
  resource.includes("/") &&
  (total.get(resource) ?? 0n) === 0n &&
  (devices.offered === undefined || devices.offered.has(resource));

/** The same node, with one more. */
export const without = (room: Room, request: Amounts): Room => {
  const claimed = [...request].reduce(
    (sum, [name, asked]) => (name === OWN_CLAIMS || isByClass(room, name) ? sum + Number(asked / ONE) : sum),
    0,
  );
  const { devices } = room;
  const unclaimed = devices?.unclaimed === undefined ? undefined : devices.unclaimed - claimed;
  const free = minus(room.free, request);
  return { ...room, free, ...(devices === undefined ? {} : { devices: { ...devices, unclaimed } }) };
};

const copies = (free: Amounts, request: Amounts, most: number): number =>
  [...request].reduce((least, [resource, asked]) => {
    if (asked <= 0n) return least;
    const left = free.get(resource) ?? 0n;
    return left < asked ? 0 : Math.min(least, Number(left / asked));
  }, most);
