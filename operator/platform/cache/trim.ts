import type { KubeObject } from "../kube/objects.ts";
import { fieldOwner } from "./field-owners.ts";

/** An object as a cache keeps it: `managedFields` are often half of an object's size, and little of them is of use here. */
export const trim = <T extends KubeObject>(object: T): T => {
  const owners = (object.metadata.managedFields ?? []).flatMap((entry) => fieldOwner(object, entry) ?? []);
  if (owners.length === 0) Reflect.deleteProperty(object.metadata, "managedFields");
  else object.metadata.managedFields = owners;
  return object;
};
