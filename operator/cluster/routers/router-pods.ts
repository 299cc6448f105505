/** The pods that say they are routers, picked out as they come and go: among the pods of all models they are few. */
import { ROUTER_LABEL } from "../../api/v1alpha1/index.ts";
import type { IndexedStore } from "../../platform/cache/indexed-store.ts";
import type { Store } from "../../platform/cache/store.ts";
import type { Pod } from "../../platform/kube/objects.ts";

/** Whose they are in truth is looked at by whoever asks them. */
export const createRouterPods = (pods: Pick<IndexedStore<Pod>, "subscribe">): Pick<Store<Pod>, "list"> => {
  const routers = new Map<string, Pod>();
  pods.subscribe((change) => {
    const pod = change.type === "deleted" ? change.old : change.object;
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    if (change.type !== "deleted" && pod.metadata.labels?.[ROUTER_LABEL] === "true") routers.set(key, pod);
    else routers.delete(key);
  });
  return { list: () => routers.values() };
};
