/** Carries the plan of a ModelDeployment out: an object of a child's name counts as ours only by its owner. */
import { networkPolicyName, serviceName } from "../../api/v1alpha1/index.ts";
import type { Action } from "../../apply/actions.ts";
import { execute as executeAll } from "../../apply/execute.ts";
import { gathered, type Obstacle, type Outcome } from "../../apply/obstacle.ts";
import type { Client } from "../../platform/kube/client.ts";
import type { KubeObject, Resource } from "../../platform/kube/objects.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  SERVICES,
} from "../../platform/kube/resources.ts";
import { isOrphan, isOwnedBy, type Owner, wasOwnedByNamesake } from "./children/owner.ts";

/** Every action is tried. What stands in the way, and the first error to throw once the status is written, come back as data. */
export const execute = async (
  client: Client,
  owner: Owner,
  actions: readonly Action[],
  signal: AbortSignal,
): Promise<Outcome> => {
  const outcome = await executeAll(client, actions, (existing) => obstacleOf(owner, existing), signal);
  const names = new Set(outcome.obstacles.flatMap((one) => (one.kind === "stranger" ? one.objects : [])).map(nameIn));
  if (names.size === 0) return outcome;
  const others = await Promise.all([...names].map((name) => strangersCalled(client, owner, name, signal)));
  return { ...outcome, obstacles: gathered([...outcome.obstacles, ...others.flat()]) };
};

const nameIn = (object: string): string => object.slice(object.indexOf(" ") + 1);

const obstacleOf = (owner: Owner, existing: KubeObject): Obstacle | undefined => {
  // an orphan that the cache has not told of yet is adopted as soon as it has
  if (isOwnedBy(owner, existing) || isOrphan(owner, existing)) return undefined;
  const isLeaving = existing.metadata.deletionTimestamp !== undefined || wasOwnedByNamesake(owner, existing);
  const object = `${existing.kind} ${existing.metadata.name}`;
  return isLeaving ? { kind: "leaving", object } : { kind: "stranger", objects: [object] };
};

/** What later passes would find of the name that a stranger has: whoever removes one is told of the rest at once. */
const strangersCalled = async (
  client: Client,
  owner: Owner,
  name: string,
  signal: AbortSignal,
): Promise<Obstacle[]> => {
  const revisions: Resource<KubeObject>[] = [
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    SERVICES,
    POD_DISRUPTION_BUDGETS,
    CONFIG_MAPS,
  ];
  const others: readonly (readonly [string, readonly Resource<KubeObject>[]])[] = [
    ...(name === owner.name ? [] : [[name, revisions] as const]),
    [serviceName(owner.name), [SERVICES]],
    [networkPolicyName(owner.name), [NETWORK_POLICIES]],
  ];
  const asked = others.flatMap(([called, kinds]) => kinds.map((resource) => ({ called, resource })));
  const found = asked.map(async ({ called, resource }): Promise<Obstacle[]> => {
    try {
      const key = { namespace: owner.namespace, name: called };
      const obstacle = obstacleOf(owner, await client.get(resource, key, signal));
      return obstacle?.kind === "stranger" ? [obstacle] : [];
    } catch {
      // there is none, or it is found when its turn comes
      return [];
    }
  });
  return (await Promise.all(found)).flat();
};
