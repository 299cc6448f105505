/** Who else waits for what a pod would give up. Pure. */

import type { ObjectKey } from "../../platform/kube/objects.ts";
import { admits } from "./admits.ts";
import { partsOf } from "./choice.ts";
import { type PodSpec, requestOf } from "./request.ts";
import type { Room } from "./room.ts";
import { createPause, type Sliced } from "./slices.ts";
import type { Surveyed, Waiting } from "./surveyed.ts";

/** What every pod asks for; to wait for these alone is to wait for something else than devices. */
const COMMON: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage", "pods"]);

/**
 * The first pod of somebody else (`namespace/name`) that waits for a device that `spec` asks for, on a node that would take both.
 * Where it asks for none, whoever waits for anything is a rival.
 */
export function* rivalOf(
  { rooms, waiting }: Pick<Surveyed, "rooms" | "waiting">,
  spec: PodSpec,
  owner: ObjectKey,
): Sliced<string | undefined> {
  const devices = [...requestOf(spec)].flatMap(([name, asked]) => (asked > 0n && !COMMON.has(name) ? [name] : []));
  const wants = ({ request }: Waiting): boolean =>
    devices.length === 0 || devices.some((name) => (request.get(name) ?? 0n) > 0n);
  const isOurs = ({ model, namespace }: Waiting): boolean => namespace === owner.namespace && model === owner.name;
  const pause = createPause();
  const here: Room[] = [];
  for (const room of rooms) {
    yield* pause(1);
    if (admits(room, spec)) here.push(room);
  }
  /** How pods choose nodes that none of these takes. */
  const elsewhere = new Set<string>();
  for (const one of waiting) {
    const parts = partsOf(one.choice);
    yield* pause(1 + parts);
    if (isOurs(one) || !wants(one)) continue;
    const choice = JSON.stringify(one.choice);
    if (elsewhere.has(choice)) continue;
    for (const room of here) {
      if (admits(room, one.choice)) return `${one.namespace}/${one.name}`;
      yield* pause(1 + parts / PARTS_OF_A_STEP);
    }
    elsewhere.add(choice);
  }
  return undefined;
}

/** So many comparisons take as long as to look at a node. */
const PARTS_OF_A_STEP = 12;
