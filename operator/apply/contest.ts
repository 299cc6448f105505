/** Who undoes what we write, in words: read off the object as it is, with the managers of its fields. Pure. */
import type { KubeObject } from "../platform/kube/objects.ts";
import { FIELD_MANAGER, nameOf, SCALING_FIELD_MANAGER } from "./actions.ts";
import { differenceOf } from "./drift.ts";
import type { Contested } from "./write-pace.ts";

const OURS: ReadonlySet<string | undefined> = new Set([FIELD_MANAGER, SCALING_FIELD_MANAGER]);

/** Reads like `NetworkPolicy berth-router: kubectl-edit changes spec.ingress each time …`. `live`: undefined if it is gone. */
export const contestInWords = ({ action, times, waitMs }: Contested, live: KubeObject | undefined): string => {
  const object = nameOf(action).replace("/", " ");
  const often = `Berth has written it ${times} times, and writes it again in ${Math.round(waitMs / 1000)} s; stop the other writer`;
  if (action.verb === "delete") return `something creates ${object} again each time Berth deletes it: ${often}`;
  if (live === undefined) return `something deletes ${object} each time: ${often}`;
  const path = action.verb === "restore" ? ["spec", "template"] : differenceOf(action.object, live);
  const others = (live.metadata.managedFields ?? []).filter(({ manager }) => !OURS.has(manager));
  const owner = others.find(({ fieldsV1 }) => path !== undefined && ownsPath(fieldsV1, path)) ?? others.at(-1);
  const who = owner?.manager === undefined ? "something" : `${owner.manager} (a field manager)`;
  return `${object}: ${who} changes ${path?.join(".") ?? "it"} each time: ${often}`;
};

/** As far down as FieldsV1 has names: items of lists have keys of their own there. */
const ownsPath = (fields: unknown, [first, ...rest]: readonly string[]): boolean => {
  if (first === undefined) return true;
  if (typeof fields !== "object" || fields === null) return false;
  const inner = Object.entries(fields).find(([name]) => name === `f:${first}`);
  return inner !== undefined && ownsPath(inner[1], rest);
};
