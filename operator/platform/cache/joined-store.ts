import type { KubeObject } from "../kube/objects.ts";
import type { IndexedStore } from "./indexed-store.ts";
import type { Store } from "./store.ts";

/** A store as its readers see it: what is in it, and what happens to it. */
export type WatchedStore<T extends KubeObject> = Store<T> & Pick<IndexedStore<T>, "subscribe" | "hasSynced">;

/** One kind in several namespaces, each with a store of its own that its own list and watch keep. */
export const joinStores = <T extends KubeObject>(stores: ReadonlyMap<string, IndexedStore<T>>): WatchedStore<T> => {
  const all = [...stores.values()];
  return {
    get: (key) => stores.get(key.namespace ?? "")?.get(key),
    *list() {
      for (const store of all) yield* store.list();
    },
    ownedBy: (uid) => all.flatMap((store) => store.ownedBy(uid)),
    labelled: (key) => stores.get(key.namespace ?? "")?.labelled(key) ?? [],
    hasSynced: () => all.every((store) => store.hasSynced()),
    subscribe: (listener) => {
      for (const store of all) store.subscribe(listener);
    },
  };
};
