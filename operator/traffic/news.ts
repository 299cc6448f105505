/** What is known of a namespace's routers, for those who wait for them. */
import { ROUTER_LABEL, ROUTER_NAME } from "../api/v1alpha1/index.ts";
import type { Obstacle } from "../apply/obstacle.ts";
import type { Store } from "../cache/store.ts";
import type { Deployment, Pod } from "../kube/objects.ts";

export type RouterNews = {
  deployment: Deployment | undefined;
  pods: Pod[];
  /** What kept the last pass from making them. */
  obstacles: readonly Obstacle[];
};

export type AskRouterNews = (namespace: string) => RouterNews;

export const createRouterNews =
  (
    stores: { deployments: Pick<Store<Deployment>, "get">; pods: Pick<Store<Pod>, "list"> },
    obstacles: ReadonlyMap<string, readonly Obstacle[]>,
  ): AskRouterNews =>
  (namespace) => ({
    deployment: stores.deployments.get({ namespace, name: ROUTER_NAME }),
    pods: [...stores.pods.list()].filter(
      ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[ROUTER_LABEL] === "true",
    ),
    obstacles: obstacles.get(namespace) ?? [],
  });
