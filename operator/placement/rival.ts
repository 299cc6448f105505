/** Who else waits for what a pod would give up. Pure. */
import { MODEL_DEPLOYMENT_LABEL } from "../api/v1alpha1/index.ts";
import type { ObjectKey } from "../kube/objects.ts";
import { admits } from "./admits.ts";
import { type PodSpec, requestOf } from "./request.ts";
import type { Surveyed } from "./survey.ts";

/** What every pod asks for; to wait for these alone is to wait for something else than devices. */
const COMMON: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage", "pods"]);

/**
 * The first pod of somebody else (`namespace/name`) that waits for a device that `spec` asks for, on a node that would take both.
 * Where it asks for none, whoever waits for anything is a rival.
 */
export const rivalOf = (
  { rooms, waiting }: Pick<Surveyed, "rooms" | "waiting">,
  spec: PodSpec,
  owner: ObjectKey,
): string | undefined => {
  const devices = [...requestOf(spec)].flatMap(([name, asked]) => (asked > 0n && !COMMON.has(name) ? [name] : []));
  const wants = (other: PodSpec): boolean => {
    const request = requestOf(other);
    return devices.length === 0 || devices.some((name) => (request.get(name) ?? 0n) > 0n);
  };
  const isOurs = (one: { namespace: string; labels: Readonly<Record<string, string>> }): boolean =>
    one.namespace === owner.namespace && one.labels[MODEL_DEPLOYMENT_LABEL] === owner.name;
  const rival = waiting.find(
    (one) => !isOurs(one) && wants(one.spec) && rooms.some((room) => admits(room, spec) && admits(room, one.spec)),
  );
  return rival && `${rival.namespace}/${rival.name}`;
};
