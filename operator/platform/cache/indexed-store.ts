import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { type Index, indexBy } from "./index-by.ts";
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

type State<T extends KubeObject> = {
  readonly objects: Map<string, T>;
  readonly owners: Index;
  readonly labels: Index;
  readonly keepsSpec: boolean;
  readonly listeners: Listener<T>[];
  /** The resourceVersion up to which everything is here; empty before the first list. */
  seen: string;
};

/**
 * @param label what `labelled` looks for
 * @param keepsSpec an update that says the same in its spec keeps the one before
 */
export const createIndexedStore = <T extends KubeObject>(label?: string, keepsSpec = false): IndexedStore<T> => {
  const state: State<T> = {
    objects: new Map(),
    owners: indexBy(controllerOf),
    labels: indexBy((object) => keyInLabel(object, label)),
    keepsSpec,
    listeners: [],
    seen: "",
  };
  return {
    get: (key: ObjectKey) => read(state, keyOf(key)),
    list: () => state.objects.values(),
    ownedBy: (uid) => found(state, state.owners.with(uid)),
    labelled: (key) => found(state, state.labels.with(keyOf(key))),
    hasSynced: () => state.seen !== "",
    resourceVersion: () => state.seen,
    subscribe(listener) {
      state.listeners.push(listener);
      for (const object of state.objects.values()) listener({ type: "added", object, initial: true });
    },
    replace: (objects, resourceVersion) => replace(state, objects, resourceVersion),
    put: (object, resourceVersion) => put(state, object, resourceVersion),
    remove: (object, resourceVersion) => remove(state, object, resourceVersion),
    learn: (object) => learn(state, object),
    hasSeen: (key, resourceVersion) => hasSeen(state, key, resourceVersion),
    advance(resourceVersion) {
      state.seen = resourceVersion;
    },
  };
};

/** Whom the label names, in the object's own namespace. */
const keyInLabel = ({ metadata: { namespace, labels = {} } }: KubeObject, label: string | undefined) => {
  const name = label === undefined ? undefined : labels[label];
  return name === undefined ? undefined : keyOf({ ...(namespace === undefined ? {} : { namespace }), name });
};

// Frozen when it is read, which for most objects is long after a start: to freeze the first lists takes a third of their time.
const read = <T extends KubeObject>({ objects }: State<T>, key: string): T | undefined => {
  const object = objects.get(key);
  return object === undefined ? undefined : deepFreeze(object);
};

const found = <T extends KubeObject>(state: State<T>, keys: Iterable<string>): T[] =>
  [...keys].flatMap((key) => read(state, key) ?? []);

const replace = <T extends KubeObject>(state: State<T>, next: T[], resourceVersion: string): void => {
  const kept = new Set(next.map((object) => keyOf(object.metadata)));
  const gone = [...state.objects.keys()].filter((key) => !kept.has(key));
  const initial = state.seen === "";
  state.seen = resourceVersion;
  // All changes are made before the first is told, so that no listener meets a half-swapped store.
  tell(state, [...gone.map((key) => unset(state, key)), ...next.map((object) => set(state, object, initial))]);
};

const put = <T extends KubeObject>(state: State<T>, object: T, resourceVersion: string): void => {
  state.seen = resourceVersion;
  const known = state.objects.get(keyOf(object.metadata));
  // what was learnt is ahead of the watch: an older state that it still brings is past
  if (known === undefined || !isLater(known, resourceVersion)) tell(state, [set(state, object, false)]);
};

const remove = <T extends KubeObject>(state: State<T>, object: T, resourceVersion: string): void => {
  state.seen = resourceVersion;
  const key = keyOf(object.metadata);
  const known = state.objects.get(key);
  if (known !== undefined && !isLater(known, resourceVersion)) tell(state, [unset(state, key)]);
};

const learn = <T extends KubeObject>(state: State<T>, object: T): void => {
  const { resourceVersion } = object.metadata;
  if (state.seen === "" || resourceVersion === undefined || hasSeen(state, object.metadata, resourceVersion)) return;
  tell(state, [set(state, object, false)]);
};

const hasSeen = <T extends KubeObject>(
  { objects, seen }: State<T>,
  key: { namespace?: string; name: string },
  resourceVersion: string,
): boolean => {
  if (seen !== "" && compareResourceVersions(seen, resourceVersion) >= 0) return true;
  const known = objects.get(keyOf(key))?.metadata.resourceVersion;
  return known !== undefined && compareResourceVersions(known, resourceVersion) >= 0;
};

/** The objects here change hands, not contents; so nobody's reading can change another's. */
const set = <T extends KubeObject>(state: State<T>, given: T, initial: boolean): Change<T> | undefined => {
  const { keepsSpec, labels, objects, owners } = state;
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

const unset = <T extends KubeObject>({ labels, objects, owners }: State<T>, key: string): Change<T> | undefined => {
  const old = objects.get(key);
  if (old === undefined) return undefined;
  objects.delete(key);
  for (const index of [owners, labels]) index.remove(key, old);
  return { type: "deleted", old };
};

/** Everybody is told everything, also after a listener that throws. */
const tell = <T extends KubeObject>({ listeners }: State<T>, changes: (Change<T> | undefined)[]): void => {
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

const isSame = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.uid === b.metadata.uid &&
  a.metadata.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata.resourceVersion;

const isLater = ({ metadata }: KubeObject, resourceVersion: string): boolean =>
  metadata.resourceVersion !== undefined && compareResourceVersions(metadata.resourceVersion, resourceVersion) > 0;
