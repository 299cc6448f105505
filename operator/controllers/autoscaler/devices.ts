/** How many of the pods that are wanted there is room for, and what is missing for the others. Pure. */
import { fits } from "../../domain/placement/fits.ts";
import { type Allocation, allocate, type Claim, freeOf } from "../../domain/placement/ledger.ts";
import { ONE } from "../../domain/placement/request.ts";
import type { Room } from "../../domain/placement/room.ts";
import type { Sliced } from "../../domain/placement/slices.ts";
import type { Surveyed } from "../../domain/placement/surveyed.ts";
import type { Decision } from "../../domain/scaling/decide.ts";
import { fullNameOf } from "../../platform/kube/objects.ts";
import { boundsOf, type Entry } from "./entry.ts";

/** Pods that each may have more, by what the nodes had when they were last looked at. */
export const grant = (entries: readonly Entry[], seen: Surveyed): Sliced<Allocation> => {
  const claims = entries.flatMap((entry): Claim[] => {
    const { createdAt: since, template } = entry.subject;
    const more = entry.desired - placedOf(entry, seen);
    if (template === undefined || more <= 0) return [];
    const priority = seen.priorities.get(template.priorityClassName ?? "") ?? 0;
    return [{ key: fullNameOf(entry.key), spec: template, more, since, priority }];
  });
  return allocate(seen.rooms, claims);
};

const placedOf = ({ key, subject }: Entry, seen: Surveyed): number =>
  seen.placed.get(`${key.namespace}/${subject.revisions[0]}`) ?? 0;

/** Pods that one may have, and what is missing for those that it wants beside them. */
export type Within = { wanted: number; shortage: string | undefined };

/** @param allocation undefined where the nodes' room is no bound */
export function* within(
  entry: Entry,
  decision: Decision,
  seen: Surveyed | undefined,
  allocation: Allocation | undefined,
): Sliced<Within> {
  const more = allocation?.granted.get(fullNameOf(entry.key));
  if (seen === undefined || allocation === undefined || more === undefined)
    return { wanted: decision.wanted, shortage: undefined };
  const granted = placedOf(entry, seen) + more;
  const wanted = Math.min(decision.wanted, Math.max(granted, boundsOf(entry).min));
  const short = decision.wanted - wanted;
  return { wanted, shortage: short > 0 ? yield* shortageOf(entry, short, allocation.left) : undefined };
}

function* shortageOf({ subject: { devices, template } }: Entry, pods: number, left: readonly Room[]): Sliced<string> {
  const many = pods === 1 ? "one more pod" : `${pods} more pods`;
  if (template !== undefined && (yield* fits(left, template, 1)) === undefined)
    return `the free capacity for ${many} is unknown; Berth asks for one at a time`;
  if (devices === undefined || template === undefined) return `no matching node has room for ${many}`;
  const free = (yield* freeOf(left, template, devices.resource)) / ONE;
  return `${pods * devices.count} more ${devices.resource} needed (${free} free on matching nodes)`;
}
