/** Carries a plan out. The order of actions does not matter: no action of one plan builds on another. */

import type { Action } from "../apply/actions.ts";
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

type Create = Extract<Action, { verb: "create" }>;
type Delete = Extract<Action, { verb: "delete" }>;

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
    const obstacle = await carryOut(client, owner, action, signal).catch(refusal);
    if (obstacle !== undefined) obstacles.push(obstacle);
  }
  return obstacles[0];
};

const carryOut = async (
  client: Client,
  owner: Owner,
  action: Action,
  signal: AbortSignal,
): Promise<Obstacle | undefined> => {
  switch (action.verb) {
    case "create":
      return await createOwned(client, owner, action, signal);
    case "apply":
      await client.apply(action.resource, action.object, {
        fieldManager: action.manager,
        signal,
        ...(action.subresource === undefined ? {} : { subresource: action.subresource }),
      });
      return undefined;
    case "restore":
      await client.patch(action.resource, action.object, { fieldManager: action.manager, signal });
      return undefined;
    case "delete":
      return await removeOnce(client, action, signal);
  }
};

const refusal = (error: unknown): Obstacle => {
  const isRefusal = error instanceof KubeError && (error.kind === "terminal" || error.status === 403);
  if (!isRefusal) throw error;
  return { kind: "refused", message: error.message, isHopeless: error.kind === "terminal" };
};

/** An object of that name that is ours was made by an earlier run, and the cache has yet to tell us. */
const createOwned = async (
  client: Client,
  owner: Owner,
  { resource, object, manager }: Create,
  signal: AbortSignal,
): Promise<Obstacle | undefined> => {
  try {
    await client.create(resource, object, { fieldManager: manager, signal });
    return undefined;
  } catch (error) {
    if (!isKind(error, "conflict")) throw error;
    const key = { namespace: owner.namespace, name: object.metadata.name };
    const existing = await client.get(resource, key, signal);
    return obstacleOf(owner, existing);
  }
};

const obstacleOf = (owner: Owner, existing: KubeObject): Obstacle | undefined => {
  if (isOwnedBy(owner, existing)) return undefined;
  const isLeaving = existing.metadata.deletionTimestamp !== undefined || wasOwnedByNamesake(owner, existing);
  return { kind: isLeaving ? "leaving" : "stranger", object: `${existing.kind} ${existing.metadata.name}` };
};

const removeOnce = async (
  client: Client,
  { resource, namespace, name, uid }: Delete,
  signal: AbortSignal,
): Promise<undefined> => {
  try {
    await client.delete(resource, { namespace, name }, { uid, propagationPolicy: "Background", signal });
  } catch (error) {
    // Gone already, or one of the same name made since: either way the object that we meant is gone.
    if (!isKind(error, "notFound") && !isKind(error, "conflict")) throw error;
  }
};

const isKind = (error: unknown, kind: "conflict" | "notFound"): boolean =>
  error instanceof Error && "kind" in error && error.kind === kind;
