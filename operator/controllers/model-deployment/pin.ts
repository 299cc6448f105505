/** The pin: the first bytes that a revision was proved with are the only ones that it serves. Pure. */
import { PIN_KEY } from "../../api/v1alpha1/index.ts";
import { type Action, create, remove } from "../../apply/actions.ts";
import { fetchedDigest, isReady, revisionOf } from "../../domain/pods/pods.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import { CONFIG_MAPS, PODS } from "../../platform/kube/resources.ts";
import { pinConfigMap } from "./children/pin-config-map.ts";
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
    if (pin !== undefined) {
      const others = pods.filter((pod) => (fetchedDigest(pod) ?? pin) !== pin);
      return others.map((pod) => remove(PODS, pod));
    }
    const proved = pods
      .filter(isReady)
      .toSorted(byName)
      .flatMap((pod) => fetchedDigest(pod) ?? []);
    const first = proved[0];
    return first === undefined ? [] : [create(CONFIG_MAPS, pinConfigMap(observed.owner, revision.name, first))];
  });

const isLive = ({ metadata }: Pod): boolean => metadata.deletionTimestamp === undefined;

const byName = (one: Pod, other: Pod): number => (one.metadata.name < other.metadata.name ? -1 : 1);
