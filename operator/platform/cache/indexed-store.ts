import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { indexBy } from "./index-by.ts";
import { compareResourceVersions } from "./resource-version.ts";
import { withSameSpec } from "./same-spec.ts";
import type { Store } from "./store.ts";

export type Change<T extends KubeObject> =
  /** `initial`: it was there when the first list came, or when its listener did; nothing has happened to it now. */
  { type: "added"; object: T; initial: boolean } | { type: "updated"; object: T; old: T } | { type: "deleted"; old: T };

export type Listener<T extends KubeObject> = (change: Change<T>) => void;

/** A store as its reflector and its listeners see it. Reconcilers get no more than the `Store`. */
export type IndexedStore<T extends KubeObject> = Store<T> & {
  /** Whether a whole list has been taken in; until then an object that is not here may well exist. */
  hasSynced(): boolean;
  /** Everything that the server wrote to this kind up to here has been listed or watched; empty before the first list. */
  resourceVersion(): string;
  /** Tells of every change from now on, after it was made. Objects that are already there are told as added. */
  subscribe(listener: Listener<T>): void;
  /** Makes the store exactly these objects, in one step; what is gone is told as deleted. */
  replace(objects: T[], resourceVersion: string): void;
  put(object: T, resourceVersion: string): void;
  remove(object: T, resourceVersion: string): void;
  /** Takes in what a write was answered with, before the watch brings it. What the watch has brought already, or a later state, stays. */
  learn(object: T): void;
  /** Whether this state of the object, or what became of it since, is here. */
  hasSeen(key: ObjectKey, resourceVersion: string): boolean;
  /** Nothing changed up to this resourceVersion. */
  advance(resourceVersion: string): void;
};

const keyOf = ({ namespace = "", name }: { namespace?: string; name: string }): string => `${namespace}/${name}`;

const controllerOf = (object: KubeObject): string | undefined =>
  object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;

/**
 * @param label what `labelled` looks for
 * @param keepsSpec an update that says the same in its spec keeps the one before
 */
export const createIndexedStore = <T extends KubeObject>(label?: string, keepsSpec = false): IndexedStore<T> => {
  const objects = new Map<string, T>();
  const owners = indexBy(controllerOf);
  const labels = indexBy(({ metadata: { namespace, labels = {} } }) => {
    const name = label === undefined ? undefined : labels[label];
    return name === undefined ? undefined : keyOf({ ...(namespace === undefined ? {} : { namespace }), name });
  });
  const listeners: Listener<T>[] = [];
  let seen = "";

  // Frozen when it is read, which for most objects is long after a start: to freeze the first lists takes a third of their time.
  const read = (key: string): T | undefined => {
    const object = objects.get(key);
    return object === undefined ? undefined : deepFreeze(object);
  };
  const found = (keys: Iterable<string>): T[] => [...keys].flatMap((key) => read(key) ?? []);

  /** The objects here change hands, not contents; so nobody's reading can change another's. */
  const set = (given: T, initial: boolean): Change<T> | undefined => {
    const key = keyOf(given.metadata);
    const old = objects.get(key);
    if (old !== undefined && isSame(old, given)) return undefined;
    const object = old === undefined || !keepsSpec ? given : withSameSpec(given, old);
    for (const index of [owners, labels]) {
      if (old !== undefined) index.remove(key, old);
      index.add(key, object);
    }
    objects.set(key, object);
    return old === undefined ? { type: "added", object, initial } : { type: "updated", object, old };
  };
  const unset = (key: string): Change<T> | undefined => {
    const old = objects.get(key);
    if (old === undefined) return undefined;
    objects.delete(key);
    for (const index of [owners, labels]) index.remove(key, old);
    return { type: "deleted", old };
  };
  /** Everybody is told everything, also after a listener that throws. */
  const tell = (changes: (Change<T> | undefined)[]) => {
    let failed: { error: unknown } | undefined;
    for (const change of changes) {
      if (change === undefined) continue;
      for (const listener of listeners) {
        try {
          listener(change);
        } catch (error) {
          failed ??= { error };
        }
      }
    }
    if (failed !== undefined) throw failed.error;
  };

  const hasSeen = (key: { namespace?: string; name: string }, resourceVersion: string): boolean => {
    if (seen !== "" && compareResourceVersions(seen, resourceVersion) >= 0) return true;
    const known = objects.get(keyOf(key))?.metadata.resourceVersion;
    return known !== undefined && compareResourceVersions(known, resourceVersion) >= 0;
  };

  return {
    get: (key: ObjectKey) => read(keyOf(key)),
    list: () => objects.values(),
    ownedBy: (uid) => found(owners.with(uid)),
    labelled: (key) => found(labels.with(keyOf(key))),
    hasSynced: () => seen !== "",
    resourceVersion: () => seen,
    subscribe(listener) {
      listeners.push(listener);
      for (const object of objects.values()) listener({ type: "added", object, initial: true });
    },
    replace(next, resourceVersion) {
      const kept = new Set(next.map((object) => keyOf(object.metadata)));
      const gone = [...objects.keys()].filter((key) => !kept.has(key));
      const initial = seen === "";
      seen = resourceVersion;
      // All changes are made before the first is told, so that no listener meets a half-swapped store.
      tell([...gone.map(unset), ...next.map((object) => set(object, initial))]);
    },
    put(object, resourceVersion) {
      seen = resourceVersion;
      const known = objects.get(keyOf(object.metadata));
      // what was learnt is ahead of the watch: an older state that it still brings is past
      if (known === undefined || !isLater(known, resourceVersion)) tell([set(object, false)]);
    },
    remove(object, resourceVersion) {
      seen = resourceVersion;
      const key = keyOf(object.metadata);
      const known = objects.get(key);
      if (known !== undefined && !isLater(known, resourceVersion)) tell([unset(key)]);
    },
    learn(object) {
      const { resourceVersion } = object.metadata;
      if (seen === "" || resourceVersion === undefined || hasSeen(object.metadata, resourceVersion)) return;
      tell([set(object, false)]);
    },
    hasSeen,
    advance(resourceVersion) {
      seen = resourceVersion;
    },
  };
};

const isSame = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.uid === b.metadata.uid &&
  a.metadata.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata.resourceVersion;

const isLater = ({ metadata }: KubeObject, resourceVersion: string): boolean =>
  metadata.resourceVersion !== undefined && compareResourceVersions(metadata.resourceVersion, resourceVersion) > 0;
