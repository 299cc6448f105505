import type { Client } from "../kube/client.ts";
import { isOfKind, type KubeObject, type Resource } from "../kube/objects.ts";
import type { IndexedStore } from "./indexed-store.ts";
import { compareResourceVersions } from "./resource-version.ts";

/**
 * Read your own writes: a reconcile that runs before the watch has brought back what the last one wrote would
 * decide on the past. Each write's resourceVersion is kept until the cache of its kind has seen it.
 */
export type Consistency = {
  wrote(ownerUid: string, kind: string, resourceVersion: string, namespace: string): void;
  /** The kinds whose caches have yet to see what was written for this owner; empty: they have seen it all. */
  behind(ownerUid: string): readonly string[];
  /** The owner is gone. */
  forget(ownerUid: string): void;
};

const NONE: readonly string[] = [];

/** `seen` gives the resourceVersion up to which the cache of a kind has seen a namespace; undefined: no cache of this kind. */
export const createConsistency = (seen: (kind: string, namespace: string) => string | undefined): Consistency => {
  const written = new Map<string, Map<string, { resourceVersion: string; namespace: string }>>();
  return {
    wrote(ownerUid, kind, resourceVersion, namespace) {
      const kinds = written.get(ownerUid) ?? new Map<string, { resourceVersion: string; namespace: string }>();
      const last = kinds.get(kind)?.resourceVersion;
      if (last === undefined || compareResourceVersions(last, resourceVersion) < 0)
        kinds.set(kind, { resourceVersion, namespace });
      written.set(ownerUid, kinds);
    },
    behind(ownerUid) {
      const kinds = written.get(ownerUid);
      if (kinds === undefined) return NONE;
      for (const [kind, { resourceVersion, namespace }] of kinds) {
        const version = seen(kind, namespace);
        if (version === undefined || compareResourceVersions(version, resourceVersion) >= 0) kinds.delete(kind);
      }
      if (kinds.size > 0) return [...kinds.keys()];
      written.delete(ownerUid);
      return NONE;
    },
    forget(ownerUid) {
      written.delete(ownerUid);
    },
  };
};

/** The objects that a controller reconciles: what they and their children are written for. */
export type Parents<T extends KubeObject> = {
  resource: Pick<Resource<T>, "apiVersion" | "kind">;
  store: Pick<IndexedStore<T>, "get" | "subscribe">;
};

/** A parent that is gone is forgotten, and so is one whose name another has taken since. */
export const forgetGone = <T extends KubeObject>({ store }: Parents<T>, consistency: Consistency): void =>
  store.subscribe((change) => {
    if (change.type === "added") return;
    const { uid } = change.old.metadata;
    const isSame = change.type === "updated" && change.object.metadata.uid === uid;
    if (uid !== undefined && !isSame) consistency.forget(uid);
  });

/**
 * The same client, whose writes are recorded under the parent that they are for: a parent's own under itself, whoever controls it,
 * and a child's under its controller. What belongs to no parent, or to one that is gone, is waited for by nobody.
 * Deletes are not recorded: their answer has no resourceVersion, and deleting again by uid does nothing.
 * `isCached` says whether the cache of its kind will be told of this object, as one outside its selector never is.
 */
export const recordWrites = <P extends KubeObject>(
  client: Client,
  consistency: Consistency,
  isCached: (object: KubeObject) => boolean,
  { resource: parent, store }: Parents<P>,
): Client => {
  const record = <T extends KubeObject>(object: T): T => {
    const { namespace = "", resourceVersion } = object.metadata;
    const owner = parentOf(object, parent);
    if (owner === undefined || resourceVersion === undefined || !isCached(object)) return object;
    const isThere = store.get({ namespace, name: owner.name })?.metadata.uid === owner.uid;
    if (isThere) consistency.wrote(owner.uid, object.kind, resourceVersion, namespace);
    return object;
  };
  return {
    ...client,
    create: async (resource, object, options) => record(await client.create(resource, object, options)),
    apply: async (resource, object, options) => record(await client.apply(resource, object, options)),
    patch: async (resource, object, options) => record(await client.patch(resource, object, options)),
  };
};

const parentOf = (
  object: KubeObject,
  parent: { apiVersion: string; kind: string },
): { name: string; uid: string } | undefined => {
  const { name, ownerReferences = [], uid } = object.metadata;
  if (isOfKind(object, parent)) return uid === undefined ? undefined : { name, uid };
  return ownerReferences.find((reference) => reference.controller === true && isOfKind(reference, parent));
};
