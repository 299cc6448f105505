/** Whether nodes come where pods wait for them: then what there is room for now is no bound. The edge: it asks the API server. */
import type { Client } from "../../platform/kube/client.ts";
import { KubeError } from "../../platform/kube/errors.ts";
import type { KubeObject, Resource } from "../../platform/kube/objects.ts";
import { CONFIG_MAPS } from "../../platform/kube/resources.ts";

export type NodeAutoscaling = "auto" | "true" | "false";

const NODE_POOLS: Resource<KubeObject> = {
  apiVersion: "karpenter.sh/v1",
  kind: "NodePool",
  plural: "nodepools",
  namespaced: false,
};
/** What the cluster-autoscaler writes about itself, by default. */
const STATUS = { namespace: "kube-system", name: "cluster-autoscaler-status" };
/** It is installed once in the life of a cluster. */
const AGAIN_MS = 300_000;

/** What was found last. It is looked for when somebody asks, every five minutes at most; before the first answer nothing is found. */
export const createNodeAutoscaling = (
  option: NodeAutoscaling,
  client: Pick<Client, "get" | "list">,
  clock: () => number,
  onFound: (what: string | undefined) => void,
): (() => boolean) => {
  if (option !== "auto") return () => option === "true";
  let askedAt = Number.NEGATIVE_INFINITY;
  let found: string | undefined;
  return () => {
    const now = clock();
    if (now - askedAt >= AGAIN_MS) {
      askedAt = now;
      void detect(client).then((what) => {
        if (what !== found) onFound(what);
        found = what;
      });
    }
    return found !== undefined;
  };
};

/** `Karpenter` with a NodePool, or `cluster-autoscaler`; undefined: neither, or nobody says so. */
const detect = async (client: Pick<Client, "get" | "list">): Promise<string | undefined> => {
  const isThere = async (look: () => Promise<boolean>): Promise<boolean> => {
    try {
      return await look();
    } catch (error) {
      if (error instanceof KubeError) return false;
      throw error;
    }
  };
  if (await isThere(async () => (await client.list(NODE_POOLS, { limit: 1 })).items.length > 0)) return "Karpenter";
  if (await isThere(async () => (await client.get(CONFIG_MAPS, STATUS)) !== undefined)) return "cluster-autoscaler";
  return undefined;
};
