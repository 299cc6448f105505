import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import type { Store } from "./store.ts";

export type Change<T extends KubeObject> =
  | { type: "added"; object: T }
  | { type: "updated"; object: T; old: T }
  | { type: "deleted"; old: T };

export type Listener<T extends KubeObject> = (change: Change<T>) => void;

/** A store as its reflector and its listeners see it. Reconcilers get no more than the `Store`. */
export type IndexedStore<T extends KubeObject> = Store<T> & {
  /** Whether a whole list has been taken in; until then an object that is not here may well exist. */
  hasSynced(): boolean;
  /** Everything that the server wrote to this kind up to here has been seen; empty before the first list. */
  resourceVersion(): string;
  /** Tells of every change from now on, after it was made. Objects that are already there are told as added. */
  subscribe(listener: Listener<T>): void;
  /** Makes the store exactly these objects, in one step; what is gone is told as deleted. */
  replace(objects: T[], resourceVersion: string): void;
  put(object: T, resourceVersion: string): void;
  remove(object: T, resourceVersion: string): void;
  /** Nothing changed up to this resourceVersion. */
  advance(resourceVersion: string): void;
};

const keyOf = ({ namespace = "", name }: { namespace?: string; name: string }): string => `${namespace}/${name}`;

const controllerOf = (object: KubeObject): string | undefined =>
  object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;

export const createIndexedStore = <T extends KubeObject>(): IndexedStore<T> => {
  const objects = new Map<string, T>();
  const byOwner = new Map<string, Set<string>>();
  const listeners: Listener<T>[] = [];
  let seen = "";

  const index = (key: string, object: T) => {
    const owner = controllerOf(object);
    if (owner === undefined) return;
    const owned = byOwner.get(owner) ?? new Set();
    byOwner.set(owner, owned.add(key));
  };
  const unindex = (key: string, object: T) => {
    const owner = controllerOf(object);
    const owned = owner === undefined ? undefined : byOwner.get(owner);
    if (owner === undefined || owned === undefined) return;
    owned.delete(key);
    if (owned.size === 0) byOwner.delete(owner);
  };

  /** The objects here change hands, not contents; so nobody's reading can change another's. */
  const set = (object: T): Change<T> | undefined => {
    const key = keyOf(object.metadata);
    const old = objects.get(key);
    if (old !== undefined && isSame(old, object)) return undefined;
    if (old !== undefined) unindex(key, old);
    objects.set(key, object);
    index(key, object);
    return old === undefined ? { type: "added", object } : { type: "updated", object, old };
  };
  const unset = (key: string): Change<T> | undefined => {
    const old = objects.get(key);
    if (old === undefined) return undefined;
    objects.delete(key);
    unindex(key, old);
    return { type: "deleted", old };
  };
  const tell = (changes: (Change<T> | undefined)[]) => {
    for (const change of changes) if (change !== undefined) for (const listener of listeners) listener(change);
  };

  return {
    get: (key: ObjectKey) => objects.get(keyOf(key)),
    list: () => objects.values(),
    ownedBy: (uid) => [...(byOwner.get(uid) ?? [])].flatMap((key) => objects.get(key) ?? []),
    hasSynced: () => seen !== "",
    resourceVersion: () => seen,
    subscribe(listener) {
      listeners.push(listener);
      for (const object of objects.values()) listener({ type: "added", object });
    },
    replace(next, resourceVersion) {
      const kept = new Set(next.map((object) => keyOf(object.metadata)));
      const gone = [...objects.keys()].filter((key) => !kept.has(key));
      seen = resourceVersion;
      // All changes are made before the first is told, so that no listener meets a half-swapped store.
      tell([...gone.map(unset), ...next.map(set)]);
    },
    put(object, resourceVersion) {
      seen = resourceVersion;
      tell([set(object)]);
    },
    remove(object, resourceVersion) {
      seen = resourceVersion;
      tell([unset(keyOf(object.metadata))]);
    },
    advance(resourceVersion) {
      seen = resourceVersion;
    },
  };
};

const isSame = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.uid === b.metadata.uid &&
  a.metadata.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata.resourceVersion;
