/** Which of an object's fields are this manager's: a server-side apply removes what is its own and is left out of it. */
import type { Client } from "../platform/kube/client.ts";
import { isRecord } from "../platform/kube/json.ts";
import type { KubeObject } from "../platform/kube/objects.ts";
import type { Action } from "./actions.ts";

type Apply = Extract<Action, { verb: "apply" }>;
type Restore = Extract<Action, { verb: "restore" }>;
type Entry = NonNullable<KubeObject["metadata"]["managedFields"]>[number];

/** What this manager has posted counts as applied from now on. */
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

/**
 * A pod template is put right, and is this manager's alone from now on. A patch takes a field from its owner only where it changes it:
 * whoever has set what is there already, as a restore from a backup does, would look as if he had a say in the pods for ever.
 */
export const takeTemplate = async (
  client: Client,
  { manager, object, resource }: Restore,
  signal: AbortSignal,
): Promise<void> => {
  const { name, namespace } = object.metadata;
  const { apiVersion, metadata } = await client.get(resource, { name, namespace }, signal);
  const managedFields = withTemplate(metadata.managedFields ?? [], manager, apiVersion);
  // an object that is not the one that was observed is refused by what the patch says of it
  const patch = { ...object, metadata: { ...object.metadata, managedFields } };
  await client.patch(resource, patch, { fieldManager: manager, signal });
};

/** The same entries, in which all that others have of the pod template is applied by the manager. */
export const withTemplate = (entries: readonly Entry[], manager: string, apiVersion: string): Entry[] => {
  const isApplied = (entry: Entry): boolean =>
    entry.manager === manager && entry.operation === "Apply" && entry.apiVersion === apiVersion && !entry.subresource;
  const others = entries.filter((entry) => entry.manager !== manager && templateOf(entry) !== undefined);
  const applied = entries.find(isApplied) ?? { apiVersion, fieldsType: "FieldsV1", manager, operation: "Apply" };
  const fieldsV1 = others.reduce<object>(
    (all, entry) => union(all, { "f:spec": { "f:template": templateOf(entry) } }),
    applied.fieldsV1 ?? {},
  );
  return [
    ...entries.filter((entry) => !isApplied(entry) && !others.includes(entry)),
    ...others.flatMap(withoutTemplate),
    { ...applied, fieldsV1 },
  ];
};

const specOf = ({ fieldsV1 }: Entry): Record<string, unknown> => {
  const spec = isRecord(fieldsV1) ? fieldsV1["f:spec"] : undefined;
  return isRecord(spec) ? spec : {};
};

const templateOf = (entry: Entry): object | undefined => {
  const template = specOf(entry)["f:template"];
  return isRecord(template) ? template : undefined;
};

const withoutTemplate = (entry: Entry): Entry[] => {
  const { "f:template": _, ...spec } = specOf(entry);
  const { "f:spec": __, ...rest } = isRecord(entry.fieldsV1) ? entry.fieldsV1 : {};
  const fieldsV1 = Object.keys(spec).length === 0 ? rest : { ...rest, "f:spec": spec };
  return Object.keys(fieldsV1).length === 0 ? [] : [{ ...entry, fieldsV1 }];
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
    merged.set(name, isRecord(there) && isRecord(inner) ? union(there, inner) : inner);
  }
  return Object.fromEntries(merged);
};
