import type { KubeObject } from "../kube/objects.ts";

/**
 * An object as a cache keeps it: frozen all through, so that a reconciler that changes it fails instead of misleading the
 * others. Of `managedFields`, often half of an object's size, only who else has a say in a pod template is of use here.
 */
export const trim = <T extends KubeObject>(object: T): T => {
  const managers = (object.metadata.managedFields ?? []).filter(({ fieldsV1 }) =>
    owns(fieldsV1, ["f:spec", "f:template"]),
  );
  if (managers.length === 0) Reflect.deleteProperty(object.metadata, "managedFields");
  else object.metadata.managedFields = managers.map(({ manager = "" }) => ({ manager }));
  return deepFreeze(object);
};

/** FieldsV1 is a map of maps, as deep as the object. */
const owns = (fields: unknown, [first, ...rest]: readonly string[]): boolean => {
  if (first === undefined) return true;
  if (typeof fields !== "object" || fields === null) return false;
  const inner = Object.entries(fields).find(([name]) => name === first);
  return inner !== undefined && owns(inner[1], rest);
};

const deepFreeze = <T>(value: T): T => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const field of Object.values(value)) deepFreeze(field);
  }
  return value;
};
