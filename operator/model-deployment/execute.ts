/** Carries a plan out. The order of actions does not matter: no action of one plan builds on another. */
import type { Client } from "../kube/client.ts";
import type { Action } from "./actions.ts";
import { isOwnedBy, type Owner } from "./children/owner.ts";

/** Resolves to the first object in our way that is not ours (`Service digits`), if there is one. */
export const execute = async (client: Client, owner: Owner, actions: Action[]): Promise<string | undefined> => {
  let stranger: string | undefined;
  for (const action of actions) {
    if (action.verb === "create") stranger ??= await createOwned(client, owner, action);
    else if (action.verb === "apply")
      await client.apply(action.resource, action.object, { fieldManager: action.manager });
    else await removeOnce(client, action);
  }
  return stranger;
};

/** An object of that name that is ours was made by an earlier run, and the cache has yet to tell us. */
const createOwned = async (
  client: Client,
  owner: Owner,
  { resource, object, manager }: Extract<Action, { verb: "create" }>,
): Promise<string | undefined> => {
  try {
    await client.create(resource, object, { fieldManager: manager });
    return undefined;
  } catch (error) {
    if (!isKind(error, "conflict")) throw error;
    const existing = await client.get(resource, { namespace: owner.namespace, name: object.metadata.name });
    return isOwnedBy(owner, existing) ? undefined : `${resource.kind} ${object.metadata.name}`;
  }
};

const removeOnce = async (
  client: Client,
  { resource, namespace, name, uid }: Extract<Action, { verb: "delete" }>,
): Promise<void> => {
  try {
    await client.delete(resource, { namespace, name }, { uid, propagationPolicy: "Background" });
  } catch (error) {
    // Gone already, or one of the same name made since: either way the object that we meant is gone.
    if (!isKind(error, "notFound") && !isKind(error, "conflict")) throw error;
  }
};

const isKind = (error: unknown, kind: "conflict" | "notFound"): boolean =>
  error instanceof Error && "kind" in error && error.kind === kind;
