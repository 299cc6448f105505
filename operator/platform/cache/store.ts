import type { KubeObject, ObjectKey } from "../kube/objects.ts";

/**
 * A read-only view of one kind, as the last list and the watch events since have left it. Objects are not to be changed: what is asked for
 * by a key or an owner is frozen all through, so that a reconciler that changes it fails instead of misleading the others.
 */
export type Store<T extends KubeObject> = {
  get(key: ObjectKey): T | undefined;
  list(): Iterable<T>;
  /** The objects whose controller owner (ownerReference with `controller: true`) has this uid. */
  ownedBy(uid: string): T[];
  /** The objects of this namespace whose label, the one that the store was made for, has this name. */
  labelled(key: ObjectKey): T[];
};
