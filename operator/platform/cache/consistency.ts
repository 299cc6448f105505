import type { Client } from "../kube/client.ts";
import { isOfKind, type KubeObject, type ObjectKey, type Resource } from "../kube/objects.ts";
import type { IndexedStore } from "./indexed-store.ts";
import { compareResourceVersions } from "./resource-version.ts";

/** What an object was after a write of ours. */
export type Written = { kind: string; key: ObjectKey; resourceVersion: string };

/**
 * Read your own writes: a reconcile that runs before the caches have what the last one wrote would decide on the past.
 * Each write is kept until they have it: from its own answer as a rule, from the watch where a list of before came meanwhile.
 */
export type Consistency = {
  wrote(ownerUid: string, written: Written): void;
  /** The kinds whose caches have yet to see what was written for this owner; empty: they have seen it all. */
  behind(ownerUid: string): readonly string[];
  /** The owner is gone. */
  forget(ownerUid: string): void;
};

const NONE: readonly string[] = [];

/** @param hasSeen whether the cache of its kind has what was written, or what became of it since; true where there is no such cache */
export const createConsistency = (hasSeen: (written: Written) => boolean): Consistency => {
  /** By owner, then by object: the latest. */
  const unseen = new Map<string, Map<string, Written>>();
  return {
    wrote(ownerUid, written) {
      const { kind, key, resourceVersion } = written;
      const objects = unseen.get(ownerUid) ?? new Map<string, Written>();
      const name = `${kind} ${key.namespace}/${key.name}`;
      const last = objects.get(name)?.resourceVersion;
      if (last === undefined || compareResourceVersions(last, resourceVersion) < 0) objects.set(name, written);
      unseen.set(ownerUid, objects);
    },
    behind(ownerUid) {
      const objects = unseen.get(ownerUid);
      if (objects === undefined) return NONE;
      for (const [name, written] of objects) if (hasSeen(written)) objects.delete(name);
      if (objects.size > 0) return [...new Set([...objects.values()].map(({ kind }) => kind))];
      unseen.delete(ownerUid);
      return NONE;
    },
    forget(ownerUid) {
      unseen.delete(ownerUid);
    },
  };
};

/** What takes answers in, and which: `Caches` do. */
export type Answered = { covers(object: KubeObject): boolean; learn(object: KubeObject): void };

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
 * @param caches take the answers in; what they do not cover, as what is outside their selector, is waited for by nobody
 */
export const recordWrites = <P extends KubeObject>(
  client: Client,
  consistency: Consistency,
  caches: Answered,
  { resource: parent, store }: Parents<P>,
): Client => {
  const record = <T extends KubeObject>(object: T): T => {
    const { name, namespace = "", resourceVersion } = object.metadata;
    if (resourceVersion === undefined || !caches.covers(object)) return object;
    const owner = parentOf(object, parent);
    const isThere = owner !== undefined && store.get({ namespace, name: owner.name })?.metadata.uid === owner.uid;
    const { kind } = object;
    if (isThere) consistency.wrote(owner.uid, { kind, key: { namespace, name }, resourceVersion });
    caches.learn(object);
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
