/** What is known of a namespace's routers, for those who wait for them. */
import type { Deployment, Pod } from "../platform/kube/objects.ts";
import type { Obstacle } from "./obstacle.ts";

export type RouterNews = {
  deployment: Deployment | undefined;
  pods: Pod[];
  /** What kept the last pass from making them. */
  obstacles: readonly Obstacle[];
};

export type AskRouterNews = (namespace: string) => RouterNews;
