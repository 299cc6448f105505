/** Carries a plan out. The order of actions does not matter: no action of one plan builds on another. */
import type { Action } from "../apply/actions.ts";
import { carryOut } from "../apply/carry-out.ts";
import type { Client } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { KubeObject } from "../kube/objects.ts";
import { isOwnedBy, type Owner, wasOwnedByNamesake } from "./children/owner.ts";

/** What stands in the way of a plan. `object` reads like `Service digits`. */
export type Obstacle =
  /** Not ours, and not to be touched. */
  | { kind: "stranger"; object: string }
  /** A child of an earlier ModelDeployment of this name, which is on its way out. */
  | { kind: "leaving"; object: string }
  /** The API server does not take what we write: a quota, an admission policy, missing rights, or a wrong value. */
  | { kind: "refused"; message: string; isHopeless: boolean };

/**
 * Resolves to the first obstacle, if there is one; the other actions are carried out all the same.
 * Rejects when observing again is the answer (a conflict), or when the API server cannot be asked.
 */
export const execute = async (
  client: Client,
  owner: Owner,
  actions: Action[],
  signal: AbortSignal,
): Promise<Obstacle | undefined> => {
  const obstacles: Obstacle[] = [];
  for (const action of actions) {
    const obstacle = await carryOut(client, action, signal, (existing) => obstacleOf(owner, existing)).catch(refusal);
    if (obstacle !== undefined) obstacles.push(obstacle);
  }
  return obstacles[0];
};

const refusal = (error: unknown): Obstacle => {
  const isRefusal = error instanceof KubeError && (error.kind === "terminal" || error.status === 403);
  if (!isRefusal) throw error;
  return { kind: "refused", message: error.message, isHopeless: error.kind === "terminal" };
};

const obstacleOf = (owner: Owner, existing: KubeObject): Obstacle | undefined => {
  if (isOwnedBy(owner, existing)) return undefined;
  const isLeaving = existing.metadata.deletionTimestamp !== undefined || wasOwnedByNamesake(owner, existing);
  return { kind: isLeaving ? "leaving" : "stranger", object: `${existing.kind} ${existing.metadata.name}` };
};
