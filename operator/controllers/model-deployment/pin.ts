/** The pin: the first bytes that a revision was proved with are the only ones that it serves. Pure. */
import { PIN_KEY } from "../../api/v1alpha1/index.ts";
import { type Action, create, remove } from "../../apply/actions.ts";
import { fetchedDigest, isReady, revisionOf } from "../../domain/pods/pods.ts";
import type { ConfigMap, Pod } from "../../platform/kube/objects.ts";
import { CONFIG_MAPS, PODS } from "../../platform/kube/resources.ts";
import { pinConfigMap } from "./children/pin-config-map.ts";
import { named } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

export const pinOf = ({ configMaps }: Observed, { name }: Revision): string | undefined =>
  configMaps.find(({ metadata }) => metadata.name === name)?.data?.[PIN_KEY];

/**
 * Pins a revision to what its first ready pod fetched. Pods that fetched other bytes before the pin was
 * there are deleted: their successors find the pin and refuse what differs.
 */
export const pinActions = (observed: Observed): Action[] =>
  observed.revisions.flatMap((revision) => {
    const pods = observed.pods.filter((pod) => revisionOf(pod) === revision.name && isLive(pod));
    const pin = pinOf(observed, revision);
    const madeUp = madeUpPin(observed, revision, pods);
    if (madeUp !== undefined) return remove(CONFIG_MAPS, madeUp);
    if (pin !== undefined) {
      const others = pods.filter((pod) => (fetchedDigest(pod) ?? pin) !== pin);
      return others.flatMap((pod) => remove(PODS, pod));
    }
    const proved = pods
      .filter(isReady)
      .toSorted(byName)
      .flatMap((pod) => fetchedDigest(pod) ?? []);
    const first = proved[0];
    return first === undefined ? [] : [create(CONFIG_MAPS, pinConfigMap(observed.owner, revision.name, first))];
  });

/** Somebody has put another pin in the place of the one that the status tells of, and that pods serve by: to follow it would delete them all. */
const madeUpPin = (observed: Observed, revision: Revision, pods: readonly Pod[]): ConfigMap | undefined => {
  const { canary, stable } = observed.modelDeployment.status ?? {};
  const told = [stable, canary].find((one) => one?.revision === revision.name)?.modelDigest;
  const isKept = told === undefined || told === pinOf(observed, revision);
  const isServed = pods.some((pod) => isReady(pod) && fetchedDigest(pod) === told);
  return isKept || !isServed ? undefined : named(observed.configMaps, revision.name);
};

const isLive = ({ metadata }: Pod): boolean => metadata.deletionTimestamp === undefined;

const byName = (one: Pod, other: Pod): number => (one.metadata.name < other.metadata.name ? -1 : 1);
