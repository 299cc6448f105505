/** Carries the plan of a ModelDeployment out: an object of a child's name counts as ours only by its owner. */
import type { Action } from "../apply/actions.ts";
import { execute as executeAll } from "../apply/execute.ts";
import type { Obstacle, Outcome } from "../apply/obstacle.ts";
import type { Client } from "../kube/client.ts";
import type { KubeObject } from "../kube/objects.ts";
import { isOwnedBy, type Owner, wasOwnedByNamesake } from "./children/owner.ts";

/** Every action is tried. What stands in the way, and the first error to throw once the status is written, come back as data. */
export const execute = (
  client: Client,
  owner: Owner,
  actions: readonly Action[],
  signal: AbortSignal,
): Promise<Outcome> => executeAll(client, actions, (existing) => obstacleOf(owner, existing), signal);

const obstacleOf = (owner: Owner, existing: KubeObject): Obstacle | undefined => {
  if (isOwnedBy(owner, existing)) return undefined;
  const isLeaving = existing.metadata.deletionTimestamp !== undefined || wasOwnedByNamesake(owner, existing);
  const object = `${existing.kind} ${existing.metadata.name}`;
  return isLeaving ? { kind: "leaving", object } : { kind: "stranger", objects: [object] };
};
