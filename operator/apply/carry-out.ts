/** Carries one action out: the requests themselves, which are the same whoever plans them. */
import type { Client } from "../platform/kube/client.ts";
import type { KubeObject } from "../platform/kube/objects.ts";
import { type Action, mark } from "./actions.ts";
import { covers } from "./drift.ts";
import { takeOver, takeTemplate } from "./take-over.ts";

/** @param taken what is to be made of an object of that name that is there already */
export const carryOut = async <Obstacle>(
  client: Client,
  action: Action,
  signal: AbortSignal,
  taken: (existing: KubeObject) => Obstacle | undefined,
): Promise<Obstacle | undefined> => {
  switch (action.verb) {
    case "create":
      return await createOnce(client, action, signal, taken);
    case "apply": {
      const { manager: fieldManager, object, resource, subresource } = action;
      if (action.takesOver) await takeOver(client, action, signal);
      await client.apply(resource, object, { fieldManager, signal, ...(subresource && { subresource }) });
      return undefined;
    }
    case "restore":
      await takeTemplate(client, action, signal);
      return undefined;
    case "correct":
    case "mark":
      await client.patch(action.resource, action.object, { fieldManager: action.manager, signal });
      return undefined;
    case "delete":
      return await removeOnce(client, action, signal);
  }
};

type Create = Extract<Action, { verb: "create" }>;
type Delete = Extract<Action, { verb: "delete" }>;

/**
 * An object of that name that is ours was made by an earlier run, and the cache has yet to tell us; or it never will, because somebody
 * has changed the labels that the caches select by: those are put right.
 */
const createOnce = async <Obstacle>(
  client: Client,
  { manager, object, resource }: Create,
  signal: AbortSignal,
  taken: (existing: KubeObject) => Obstacle | undefined,
): Promise<Obstacle | undefined> => {
  try {
    await client.create(resource, object, { fieldManager: manager, signal });
    return undefined;
  } catch (error) {
    if (!isKind(error, "conflict")) throw error;
  }
  const { labels = {}, name, namespace = "" } = object.metadata;
  const existing = await client.get(resource, { name, namespace }, signal);
  const obstacle = taken(existing);
  if (obstacle !== undefined || covers(labels, existing.metadata.labels ?? {})) return obstacle;
  const marked = mark(resource, { name, labels }, existing);
  return await carryOut(client, marked, signal, taken);
};

const removeOnce = async (
  client: Client,
  { name, namespace, resource, uid }: Delete,
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
