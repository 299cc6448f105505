import type { Client } from "../kube/client.ts";
import type { KubeError } from "../kube/errors.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import type { Watch } from "../kube/watch.ts";
import { createIndexedStore, type IndexedStore } from "./indexed-store.ts";
import { createReflector, type Reflector } from "./reflector.ts";

/** The caches of one operator: each kind is listed and watched once, whoever reads it. */
export type Caches = {
  /**
   * The store of a kind; `labels` must be on an object for it to be here, and `labelled` finds them by the label `byLabel`. To be
   * called before `run`.
   */
  of<T extends KubeObject>(resource: Resource<T>, labels?: Record<string, string>, byLabel?: string): IndexedStore<T>;
  run(signal: AbortSignal): Promise<void>;
  hasSynced(): boolean;
  /** The kinds whose first list has not come yet. */
  missing(): string[];
  /** How far a kind's cache has seen, or undefined where there is none. */
  resourceVersion(kind: string): string | undefined;
  /** Whether this object is one that its kind's cache is told of. */
  covers(object: KubeObject): boolean;
};

export const createCaches = (
  client: Client,
  watch: Watch,
  onFailure: (kind: string, error: KubeError, delayMs: number) => void,
): Caches => {
  type Entry = {
    reflector: Reflector;
    labels: Record<string, string>;
    hasSynced(): boolean;
    resourceVersion(): string;
  };
  const entries = new Map<string, Entry>();
  return {
    of<T extends KubeObject>(resource: Resource<T>, labels: Record<string, string> = {}, byLabel?: string) {
      const { kind } = resource;
      if (entries.has(kind)) throw new Error(`there is a cache of ${kind} already`);
      const store = createIndexedStore<T>(byLabel);
      const labelSelector = Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(",");
      const reflector = createReflector({
        client,
        watch,
        resource,
        store,
        ...(labelSelector === "" ? {} : { labelSelector }),
        onFailure: (error, delayMs) => onFailure(kind, error, delayMs),
      });
      entries.set(kind, { reflector, labels, hasSynced: store.hasSynced, resourceVersion: store.resourceVersion });
      return store;
    },
    async run(signal) {
      await Promise.all([...entries.values()].map(({ reflector }) => reflector.run(signal)));
    },
    hasSynced: () => [...entries.values()].every((entry) => entry.hasSynced()),
    missing: () => [...entries].filter(([, entry]) => !entry.hasSynced()).map(([kind]) => kind),
    resourceVersion: (kind) => entries.get(kind)?.resourceVersion(),
    covers(object) {
      const required = Object.entries(entries.get(object.kind)?.labels ?? {});
      return entries.has(object.kind) && required.every(([name, value]) => object.metadata.labels?.[name] === value);
    },
  };
};
