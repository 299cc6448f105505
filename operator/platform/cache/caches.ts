import type { Client } from "../kube/client.ts";
import { decode } from "../kube/decode.ts";
import type { KubeError } from "../kube/errors.ts";
import type { KubeObject, ObjectKey, Resource } from "../kube/objects.ts";
import type { Watch } from "../kube/watch.ts";
import type { Written } from "./consistency.ts";
import { createIndexedStore, type IndexedStore } from "./indexed-store.ts";
import { joinStores, type WatchedStore } from "./joined-store.ts";
import { createReflector, type Reflector } from "./reflector.ts";
import { trim } from "./trim.ts";

/** How much of a kind is read, where it is not all: `managedFields` of no use; specs that few updates change. */
export type Reading = { managedFields?: "unused"; spec?: "seldomChanged" };

/** The caches of one operator: each kind is listed and watched once, or once in each namespace, whoever reads it. */
export type Caches = {
  /**
   * The store of a kind; `labels` must be on an object for it to be here, and `labelled` finds them by the label `byLabel`. To be called
   * before `run`.
   */
  of<T extends KubeObject>(
    resource: Resource<T>,
    labels?: Record<string, string>,
    byLabel?: string,
    reading?: Reading,
  ): WatchedStore<T>;
  run(signal: AbortSignal): Promise<void>;
  /** Whether work can begin: a namespace that we may not look into is not waited for, unless there is no other. */
  hasSynced(): boolean;
  /** The kinds whose first list has not come yet, in one namespace or in any. */
  missing(namespace?: string): string[];
  /** Whether the cache of its kind has this state of an object, or what became of it since; also where there is no such cache. */
  hasSeen(written: Written): boolean;
  /** Whether this object is one that its kind's cache is told of. */
  covers(object: KubeObject): boolean;
  /** Takes in what a write of ours was answered with, where `covers` says so: the next pass need not wait for the watch. */
  learn(object: KubeObject): void;
};

/** One kind in one namespace, or in all. */
type Part = {
  reflector: Reflector;
  hasSynced(): boolean;
  hasSeen(key: ObjectKey, resourceVersion: string): boolean;
  learn(object: KubeObject): void;
  /** Its first list was refused; a namespace may have been deleted, and our rights with it. */
  isForbidden: boolean;
};

/** In place of a namespace: every one. */
const EVERYWHERE = "";

type Entry = { labels: Record<string, string>; parts: ReadonlyMap<string, Part> };

type State = {
  readonly client: Client;
  readonly watch: Watch;
  readonly onFailure: OnFailure;
  /** Namespaces, or `EVERYWHERE` alone. */
  readonly places: readonly string[];
  /** By kind. */
  readonly entries: Map<string, Entry>;
};

type OnFailure = (kind: string, error: KubeError, delayMs: number, namespace: string | undefined) => void;

/** @param namespaces what is looked at; empty: every namespace. */
export const createCaches = (
  client: Client,
  watch: Watch,
  onFailure: OnFailure,
  namespaces: readonly string[] = [],
): Caches => {
  const places = namespaces.length === 0 ? [EVERYWHERE] : namespaces;
  const entries = new Map<string, Entry>();
  const state: State = { client, watch, onFailure, places, entries };
  return {
    of: (resource, labels = {}, byLabel = undefined, reading = {}) => open(state, resource, labels, byLabel, reading),
    async run(signal) {
      const parts = [...entries.values()].flatMap((entry) => [...entry.parts.values()]);
      await Promise.all(parts.map(({ reflector }) => reflector.run(signal)));
    },
    hasSynced: () => places.some((place) => isSynced(state, place)) && places.every((place) => isClosed(state, place)),
    missing: (namespace) => {
      const where = namespace === undefined ? places : [placeOf(state, namespace)];
      const isMissing = ({ parts }: Entry) => where.some((place) => parts.get(place)?.hasSynced() === false);
      return [...entries].filter(([, entry]) => isMissing(entry)).map(([kind]) => kind);
    },
    hasSeen: ({ kind, key, resourceVersion }) =>
      entries.get(kind)?.parts.get(placeOf(state, key.namespace))?.hasSeen(key, resourceVersion) ?? true,
    covers: (object) => partCovering(state, object) !== undefined,
    learn: (object) => partCovering(state, object)?.learn(object),
  };
};

const placeOf = ({ places: [first] }: State, namespace: string): string =>
  first === EVERYWHERE ? EVERYWHERE : namespace;

const partsIn = ({ entries }: State, place: string): Part[] =>
  [...entries.values()].flatMap(({ parts }) => parts.get(place) ?? []);
const isSynced = (state: State, place: string): boolean => partsIn(state, place).every((part) => part.hasSynced());
/** There is nothing to wait for. */
const isClosed = (state: State, place: string): boolean =>
  partsIn(state, place).every((part) => part.hasSynced() || part.isForbidden);

/** The part that is told of this object. */
const partCovering = (state: State, { kind, metadata }: KubeObject): Part | undefined => {
  const { labels = {}, parts } = state.entries.get(kind) ?? {};
  const hasLabels = Object.entries(labels).every(([name, value]) => metadata.labels?.[name] === value);
  return hasLabels ? parts?.get(placeOf(state, metadata.namespace ?? "")) : undefined;
};

const open = <T extends KubeObject>(
  state: State,
  resource: Resource<T>,
  labels: Record<string, string>,
  byLabel: string | undefined,
  { managedFields, spec }: Reading,
): WatchedStore<T> => {
  const { entries, places } = state;
  const { kind } = resource;
  if (entries.has(kind)) throw new Error(`there is a cache of ${kind} already`);
  const labelSelector = Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
  const stores = new Map(places.map((place) => [place, createIndexedStore<T>(byLabel, spec === "seldomChanged")]));
  const selection = { isLean: managedFields === "unused", ...(labelSelector === "" ? {} : { labelSelector }) };
  const parts = new Map([...stores].map(([place, store]) => [place, partOf(state, resource, place, store, selection)]));
  entries.set(kind, { labels, parts });
  return stores.get(EVERYWHERE) ?? joinStores(stores);
};

const partOf = <T extends KubeObject>(
  { client, onFailure, watch }: State,
  resource: Resource<T>,
  place: string,
  store: IndexedStore<T>,
  selection: { isLean: boolean; labelSelector?: string },
): Part => {
  const namespace = place === EVERYWHERE ? undefined : place;
  const reflector = createReflector({
    ...{ client, watch, resource, store },
    ...selection,
    ...(namespace === undefined ? {} : { namespace }),
    onFailure(error, delayMs) {
      part.isForbidden = error.status === 403;
      onFailure(resource.kind, error, delayMs, namespace);
    },
  });
  const { hasSeen, hasSynced } = store;
  const learn = (object: KubeObject) => store.learn(asWatched(decode("learn", resource, object), selection.isLean));
  const part: Part = { reflector, hasSeen, hasSynced, learn, isForbidden: false };
  return part;
};

/** An answer as the watch would bring it; whoever wrote it still has all of it. */
const asWatched = <T extends KubeObject>(answer: T, isLean: boolean): T => {
  const { managedFields, ...metadata } = answer.metadata;
  return isLean || managedFields === undefined
    ? { ...answer, metadata }
    : trim({ ...answer, metadata: { ...metadata, managedFields } });
};
