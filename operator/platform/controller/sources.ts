import { setTimeout as sleep } from "node:timers/promises";
import type { Change, IndexedStore } from "../cache/indexed-store.ts";
import { isOfKind, type KubeObject, type ObjectKey } from "../kube/objects.ts";
import type { Priority } from "./work-queue.ts";

/** The keys that a change of this object concerns. */
export type ToKeys = (object: KubeObject) => ObjectKey[];

/** The object is what is reconciled. */
export const itself: ToKeys = ({ metadata: { namespace = "", name } }) => [{ namespace, name }];

/** The object's controller owner is, where it is of this kind; its version may be another. */
export const controllerOwner =
  (owner: { apiVersion: string; kind: string }): ToKeys =>
  ({ metadata: { namespace = "", ownerReferences = [] } }) =>
    ownerReferences
      .filter((reference) => reference.controller === true && isOfKind(reference, owner))
      .map(({ name }) => ({ namespace, name }));

/** A label of the object has the name, as for the pods of a Deployment, whose owner is a ReplicaSet. */
export const namedByLabel =
  (label: string): ToKeys =>
  ({ metadata: { namespace = "", labels = {} } }) => {
    const name = labels[label];
    return name === undefined ? [] : [{ namespace, name }];
  };

/** The keys that any of these name. */
export const anyOf =
  (...ways: readonly ToKeys[]): ToKeys =>
  (object) =>
    ways.flatMap((toKeys) => toKeys(object));

/**
 * Makes keys due whenever an object of this store changes; before and after, for an object may change its owner.
 * `isPending`: somebody waits for this object, also when it is told with all others after a restart.
 */
export const follow = <T extends KubeObject>(
  store: Pick<IndexedStore<T>, "subscribe">,
  toKeys: ToKeys,
  controller: { add(key: ObjectKey, priority: Priority): void },
  isPending: (object: T) => boolean = () => false,
): void =>
  store.subscribe((change) => {
    // after a restart all objects are told: what happens meanwhile to one of them is not to wait for the others
    const isOneOfAll = change.type === "added" && change.initial && !isPending(change.object);
    const priority = isOneOfAll ? "low" : "normal";
    for (const object of objectsOf(change)) for (const key of toKeys(object)) controller.add(key, priority);
  });

/** The same store, of which only these changes are told. */
export const onlyWhere = <T extends KubeObject>(
  store: Pick<IndexedStore<T>, "subscribe">,
  isNews: (change: Change<T>) => boolean,
): Pick<IndexedStore<T>, "subscribe"> => ({
  subscribe: (listener) =>
    store.subscribe((change) => {
      if (isNews(change)) listener(change);
    }),
});

/** An hour: the caches are asked, not the API server, and a pass that finds nothing to do takes about a millisecond. */
const RESYNC_MS = 3_600_000;

/**
 * Makes every object of the store, or what it concerns, due again now and then, until the signal: whatever a fault has lost is found then.
 * `everyMs` is 10 % more or less each time, so that several operators do not beat in time. Default 3 600 000.
 */
export const resync = async <T extends KubeObject>(
  store: Pick<IndexedStore<T>, "list">,
  controller: { add(key: ObjectKey, priority: Priority): void },
  signal: AbortSignal,
  {
    everyMs = RESYNC_MS,
    random = Math.random,
    toKeys = itself,
  }: { everyMs?: number; random?: () => number; toKeys?: ToKeys } = {},
): Promise<void> => {
  while (await hasPassed(everyMs * (0.9 + 0.2 * random()), signal)) {
    for (const object of store.list()) for (const key of toKeys(object)) controller.add(key, "low");
  }
};

/** Waits; false as soon as the signal ends the wait. */
const hasPassed = (ms: number, signal: AbortSignal): Promise<boolean> => sleep(ms, true, { signal }).catch(() => false);

const objectsOf = <T extends KubeObject>(change: Change<T>): T[] => {
  if (change.type === "added") return [change.object];
  if (change.type === "deleted") return [change.old];
  return [change.old, change.object];
};
