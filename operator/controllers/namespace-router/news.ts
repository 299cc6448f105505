/** What is known of a namespace's routers, for those who wait for them. */
import { ROUTER_LABEL, ROUTER_NAME } from "../../api/v1alpha1/index.ts";
import type { Obstacle } from "../../apply/obstacle.ts";
import type { AskRouterNews } from "../../apply/router-news.ts";
import type { Store } from "../../platform/cache/store.ts";
import type { Deployment, Pod } from "../../platform/kube/objects.ts";

export const createRouterNews =
  (
    stores: { deployments: Pick<Store<Deployment>, "get">; pods: Pick<Store<Pod>, "list"> },
    obstacles: ReadonlyMap<string, readonly Obstacle[]>,
  ): AskRouterNews =>
  (namespace) => {
    const deployment = stores.deployments.get({ namespace, name: ROUTER_NAME });
    const isWell = (deployment?.status?.availableReplicas ?? 0) >= (deployment?.spec?.replicas ?? 1);
    return {
      deployment,
      // hundreds may wait for them to follow a table: all pods of the cluster are looked through only where some are not well
      pods: isWell ? [] : [...stores.pods.list()].filter((pod) => isRouterIn(namespace, pod)),
      obstacles: obstacles.get(namespace) ?? [],
    };
  };

const isRouterIn = (namespace: string, { metadata }: Pod): boolean =>
  metadata.namespace === namespace && metadata.labels?.[ROUTER_LABEL] === "true";
