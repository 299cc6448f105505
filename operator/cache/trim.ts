import type { KubeObject } from "../kube/objects.ts";

/**
 * An object as a cache keeps it: without `managedFields`, often half of its size and of no use here,
 * and frozen all through, so that a reconciler that changes it fails instead of misleading the others.
 */
export const trim = <T extends KubeObject>(object: T): T => {
  Reflect.deleteProperty(object.metadata, "managedFields");
  return deepFreeze(object);
};

const deepFreeze = <T>(value: T): T => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const field of Object.values(value)) deepFreeze(field);
  }
  return value;
};
