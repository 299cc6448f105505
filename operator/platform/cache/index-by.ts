import type { KubeObject } from "../kube/objects.ts";

/** Which objects have a value, such as an owner's uid. */
export type Index = {
  add(key: string, object: KubeObject): void;
  remove(key: string, object: KubeObject): void;
  /** The keys of the objects that have it. */
  with(value: string): Iterable<string>;
};

/** @param placeOf undefined: the object is in no place of the index */
export const indexBy = (placeOf: (object: KubeObject) => string | undefined): Index => {
  const keys = new Map<string, Set<string>>();
  return {
    add(key, object) {
      const value = placeOf(object);
      if (value === undefined) return;
      const same = keys.get(value) ?? new Set();
      keys.set(value, same.add(key));
    },
    remove(key, object) {
      const value = placeOf(object);
      const same = value === undefined ? undefined : keys.get(value);
      if (value === undefined || same === undefined) return;
      same.delete(key);
      if (same.size === 0) keys.delete(value);
    },
    with: (value) => keys.get(value) ?? [],
  };
};
