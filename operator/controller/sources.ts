import type { Change, IndexedStore } from "../cache/indexed-store.ts";
import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import type { Priority } from "./work-queue.ts";

/** The keys that a change of this object concerns. */
export type ToKeys = (object: KubeObject) => ObjectKey[];

/** The object is what is reconciled. */
export const itself: ToKeys = ({ metadata: { namespace = "", name } }) => [{ namespace, name }];

/** The object's controller owner is, where it is of this kind. */
export const controllerOwner =
  (owner: { apiVersion: string; kind: string }): ToKeys =>
  ({ metadata: { namespace = "", ownerReferences = [] } }) =>
    ownerReferences
      .filter(
        ({ controller, apiVersion, kind }) => controller && apiVersion === owner.apiVersion && kind === owner.kind,
      )
      .map(({ name }) => ({ namespace, name }));

/** A label of the object has the name, as for the pods of a Deployment, whose owner is a ReplicaSet. */
export const namedByLabel =
  (label: string): ToKeys =>
  ({ metadata: { namespace = "", labels = {} } }) => {
    const name = labels[label];
    return name === undefined ? [] : [{ namespace, name }];
  };

/** Makes keys due whenever an object of this store changes; before and after, for an object may change its owner. */
export const follow = <T extends KubeObject>(
  store: IndexedStore<T>,
  toKeys: ToKeys,
  controller: { add(key: ObjectKey, priority: Priority): void },
): void =>
  store.subscribe((change) => {
    // after a restart all objects are told: what happens meanwhile to one of them is not to wait for the others
    const priority = change.type === "added" && change.initial ? "low" : "normal";
    for (const object of objectsOf(change)) for (const key of toKeys(object)) controller.add(key, priority);
  });

const objectsOf = <T extends KubeObject>(change: Change<T>): T[] => {
  if (change.type === "added") return [change.object];
  if (change.type === "deleted") return [change.old];
  return [change.old, change.object];
};
