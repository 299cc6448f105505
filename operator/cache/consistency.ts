import type { Client } from "../kube/client.ts";
import type { KubeObject } from "../kube/objects.ts";
import { compareResourceVersions } from "./resource-version.ts";

/**
 * Read your own writes: a reconcile that runs before the watch has brought back what the last one wrote would
 * decide on the past. Each write's resourceVersion is kept until the cache of its kind has seen it.
 */
export type Consistency = {
  wrote(ownerUid: string, kind: string, resourceVersion: string): void;
  /** Whether the caches have seen all that was written for this owner. */
  isCurrent(ownerUid: string): boolean;
  /** The owner is gone. */
  forget(ownerUid: string): void;
};

/** `seen` gives the resourceVersion up to which the cache of a kind has seen everything; undefined: no cache of this kind. */
export const createConsistency = (seen: (kind: string) => string | undefined): Consistency => {
  const written = new Map<string, Map<string, string>>();
  return {
    wrote(ownerUid, kind, resourceVersion) {
      const kinds = written.get(ownerUid) ?? new Map<string, string>();
      const last = kinds.get(kind);
      if (last === undefined || compareResourceVersions(last, resourceVersion) < 0) kinds.set(kind, resourceVersion);
      written.set(ownerUid, kinds);
    },
    isCurrent(ownerUid) {
      const kinds = written.get(ownerUid);
      if (kinds === undefined) return true;
      for (const [kind, resourceVersion] of kinds) {
        const version = seen(kind);
        if (version === undefined || compareResourceVersions(version, resourceVersion) >= 0) kinds.delete(kind);
      }
      if (kinds.size > 0) return false;
      written.delete(ownerUid);
      return true;
    },
    forget(ownerUid) {
      written.delete(ownerUid);
    },
  };
};

/**
 * The same client, whose creates and applies are recorded under the object's controller owner, or itself without one.
 * Deletes are not: their answer has no resourceVersion, and deleting again by uid does nothing.
 * `isCached` says whether the cache of its kind will be told of this object, as one outside its selector never is.
 */
export const recordWrites = (
  client: Client,
  consistency: Consistency,
  isCached: (object: KubeObject) => boolean,
): Client => {
  const record = <T extends KubeObject>(object: T): T => {
    const { ownerReferences = [], uid, resourceVersion } = object.metadata;
    const owner = ownerReferences.find((reference) => reference.controller === true)?.uid ?? uid;
    if (owner !== undefined && resourceVersion !== undefined && isCached(object)) {
      consistency.wrote(owner, object.kind, resourceVersion);
    }
    return object;
  };
  return {
    ...client,
    create: async (resource, object, options) => record(await client.create(resource, object, options)),
    apply: async (resource, object, options) => record(await client.apply(resource, object, options)),
    patch: async (resource, object, options) => record(await client.patch(resource, object, options)),
  };
};
