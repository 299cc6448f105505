/**
 * What a change takes at least on this API server: a loop that decides nothing. It hears of an object by a watch, makes a ControllerRevision
 * and then a Deployment of the very sizes that the operator's have, and hears of that one by a watch.
 */
import { randomUUID } from "node:crypto";
import type { Caches } from "../../../operator/platform/cache/caches.ts";
import type { WatchedStore } from "../../../operator/platform/cache/joined-store.ts";
import type { Client } from "../../../operator/platform/kube/client.ts";
import type { ControllerRevision, Deployment, KubeObject } from "../../../operator/platform/kube/objects.ts";
import { CONFIG_MAPS, CONTROLLER_REVISIONS, DEPLOYMENTS } from "../../../operator/platform/kube/resources.ts";

/** Nothing that the operator selects by. */
const LABELS = { "bench.berth.dev/limit": "true" };
const manager = { fieldManager: "bench" };

export type Limit = {
  /** @returns milliseconds from the answer to the first write until the Deployment is heard of. */
  measure(revision: ControllerRevision, deployment: Deployment): Promise<number>;
};

/** @param caches that do not run yet */
export const openLimit = (
  client: Client,
  caches: Caches,
  deployments: WatchedStore<Deployment>,
  namespace: string,
): Limit => {
  const heard = new Map<string, () => void>();
  const nameOf = ({ kind, metadata }: Pick<KubeObject, "kind" | "metadata">): string => `${kind} ${metadata.name}`;
  const tell = (object: KubeObject): void => heard.get(nameOf(object))?.();
  const waitFor = (kind: string, name: string): Promise<number> =>
    new Promise((resolve) => heard.set(nameOf({ kind, metadata: { name } }), () => resolve(performance.now())));
  caches.of(CONFIG_MAPS, LABELS).subscribe((change) => change.type === "added" && tell(change.object));
  deployments.subscribe((change) => change.type === "added" && tell(change.object));
  return {
    async measure(revision, deployment) {
      const name = `limit-${randomUUID()}`;
      const metadata = { name, namespace, labels: LABELS };
      const [first, last] = [waitFor("ConfigMap", name), waitFor("Deployment", name)];
      const { apiVersion, kind } = CONFIG_MAPS;
      const begun = client.create(CONFIG_MAPS, { apiVersion, kind, metadata }, manager);
      const accepted = begun.then(() => performance.now());
      await first;
      await client.create(CONTROLLER_REVISIONS, copyOf(revision, metadata), manager);
      await client.create(DEPLOYMENTS, withoutPods(copyOf(deployment, metadata)), manager);
      const took = (await last) - (await accepted);
      heard.clear();
      await client.delete(CONFIG_MAPS, metadata);
      await client.delete(CONTROLLER_REVISIONS, metadata);
      await client.delete(DEPLOYMENTS, metadata);
      return Math.max(0, took);
    },
  };
};

const copyOf = <T extends KubeObject>(object: T, metadata: KubeObject["metadata"]): T => {
  const { annotations = {} } = object.metadata;
  return { ...object, metadata: { ...metadata, annotations } };
};

const withoutPods = ({ apiVersion, kind, metadata, spec }: Deployment): Deployment => ({
  ...{ apiVersion, kind, metadata },
  ...(spec === undefined ? {} : { spec: { ...spec, replicas: 0 } }),
});
