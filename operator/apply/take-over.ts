/** What this manager has posted counts as applied from now on: a server-side apply removes what it leaves out of it. */
import type { Client } from "../kube/client.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { Action } from "./actions.ts";
import { isMap } from "./drift.ts";

type Apply = Extract<Action, { verb: "apply" }>;
type Entry = NonNullable<KubeObject["metadata"]["managedFields"]>[number];

export const takeOver = async (
  client: Client,
  { manager, object, resource }: Apply,
  signal: AbortSignal,
): Promise<void> => {
  const { apiVersion } = object;
  const { name, namespace, uid } = object.metadata;
  const { metadata } = await client.get(resource, { name, namespace }, signal);
  const managedFields = asApplied(metadata.managedFields ?? [], manager, apiVersion);
  // of another object of that name nothing is taken over: the apply tells it apart
  if (managedFields === undefined || metadata.uid !== uid) return;
  const { resourceVersion = "" } = metadata;
  const patch = { metadata: { name, namespace, uid, resourceVersion, managedFields } };
  await client.patch(resource, patch, { fieldManager: manager, signal });
};

/** Undefined: the manager has posted nothing. */
export const asApplied = (entries: readonly Entry[], manager: string, apiVersion: string): Entry[] | undefined => {
  const isOwn = (entry: Entry): boolean =>
    entry.manager === manager && entry.apiVersion === apiVersion && entry.subresource === undefined;
  const own = entries.filter(isOwn);
  const posted = own.find(({ operation }) => operation === "Update");
  if (posted === undefined) return undefined;
  const fieldsV1 = own.reduce<object>((all, entry) => union(all, entry.fieldsV1 ?? {}), {});
  return [...entries.filter((entry) => !isOwn(entry)), { ...posted, operation: "Apply", fieldsV1 }];
};

/** Of two sets of fields: maps of maps. */
const union = (one: object, other: object): object => {
  const merged = new Map<string, unknown>(Object.entries(one));
  for (const [name, inner] of Object.entries(other)) {
    const there = merged.get(name);
    merged.set(name, isMap(there) && isMap(inner) ? union(there, inner) : inner);
  }
  return Object.fromEntries(merged);
};
