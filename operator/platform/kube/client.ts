import type { KubeObject, ObjectKey, Resource } from "./objects.ts";

export type ListOptions = {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  /** Without `managedFields`, which nobody will look at. Default: with them. */
  isLean?: boolean;
};

/** What a list says beside its items. */
export type Listed = { resourceVersion: string; continue?: string };

export type DeleteOptions = {
  /** Delete only this very object, not one of the same name made since. */
  uid?: string;
  resourceVersion?: string;
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
  signal?: AbortSignal;
};

export type WriteOptions = { fieldManager: string; subresource?: "status"; signal?: AbortSignal };

/**
 * Typed access to the API server. Each call rejects with a `KubeError` (errors.ts) whose `kind` is
 * `conflict`, `notFound`, `retryable` or `terminal`; a read or a write is one request. A write that its signal ends may
 * have been carried out all the same.
 */
export type Client = {
  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, signal?: AbortSignal): Promise<T>;
  list<T extends KubeObject>(
    resource: Resource<T>,
    options?: ListOptions,
    signal?: AbortSignal,
  ): Promise<{ items: T[] } & Listed>;
  /**
   * A list that anybody may fill, item by item as they come; between slices of them the event loop turns. Where it rejects, `visit` may
   * have seen some.
   */
  each<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions,
    visit: (object: T) => void,
    signal?: AbortSignal,
  ): Promise<Listed>;
  /**
   * POST. An object of that name rejects with kind `conflict`. What was posted belongs to another owner than what the same manager
   * applies: a later `apply` that leaves it out removes only what was applied.
   */
  create<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions): Promise<T>;
  /**
   * Server-side apply with `force`: the fields in `object` become ours, the fields that this manager has applied
   * before and leaves out now are removed, the others are untouched. Never pass an object that was read.
   */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } },
    options: WriteOptions,
  ): Promise<T>;
  /**
   * JSON merge patch: what is null goes, and lists are replaced whole. A `uid` or `resourceVersion` in it that is no longer
   * the object's rejects with kind `conflict`. For what `apply` cannot do: to remove what somebody else has put there.
   */
  patch<T extends KubeObject>(
    resource: Resource<T>,
    object: { metadata: { name: string; namespace?: string } },
    options: WriteOptions,
  ): Promise<T>;
  delete<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: DeleteOptions): Promise<void>;
};
