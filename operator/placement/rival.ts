/** Who else waits for what a pod would give up. Pure. */
import { MODEL_DEPLOYMENT_LABEL } from "../api/v1alpha1/index.ts";
import type { ObjectKey } from "../kube/objects.ts";
import { admits } from "./admits.ts";
import { type PodSpec, requestOf } from "./request.ts";
import type { Sliced } from "./slices.ts";
import type { Surveyed } from "./survey.ts";

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
  const wants = (other: PodSpec): boolean => {
    const request = requestOf(other);
    return devices.length === 0 || devices.some((name) => (request.get(name) ?? 0n) > 0n);
  };
  const isOurs = (one: { namespace: string; labels: Readonly<Record<string, string>> }): boolean =>
    one.namespace === owner.namespace && one.labels[MODEL_DEPLOYMENT_LABEL] === owner.name;
  const here = rooms.filter((room) => admits(room, spec));
  /** How pods choose nodes that none of these takes. */
  const elsewhere = new Set<string>();
  let steps = 0;
  for (const one of waiting) {
    steps += STEPS_OF_A_POD;
    if (!isOurs(one) && wants(one.spec)) {
      const { affinity, nodeSelector, tolerations } = one.spec;
      const choice = JSON.stringify([affinity?.nodeAffinity, nodeSelector, tolerations]);
      if (!elsewhere.has(choice)) {
        for (const room of here) {
          if (admits(room, one.spec)) return `${one.namespace}/${one.name}`;
          if (++steps > MOST_STEPS) {
            steps = 0;
            yield;
          }
        }
        elsewhere.add(choice);
      }
    }
    if (steps > MOST_STEPS) {
      steps = 0;
      yield;
    }
  }
  return undefined;
}

/** Of a slice; each is a node that is looked at. */
const MOST_STEPS = 500;
/** What it asks for has to be added up. */
const STEPS_OF_A_POD = 10;
