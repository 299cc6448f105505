/** The controller of the namespaces' routers, and what wakes it. */
import { isNewsForRouter, partOfRouter, routerController, routerOf } from "./controllers/namespace-router/reconcile.ts";
import { firstOfOthers } from "./neighbours.ts";
import type { Parts } from "./parts.ts";
import { type Controller, createController } from "./platform/controller/controller.ts";
import type { Reconcile } from "./platform/controller/result.ts";
import { follow, onlyWhere, resync } from "./platform/controller/sources.ts";

/** Namespaces whose routers are looked at together. */
const ROUTER_WORKERS = 4;

/** Is woken from now on, and works once it is run. */
export const prepareRouters = (parts: Parts, stop: AbortSignal): Controller => {
  const { beside, caches, log, metrics, stores } = parts;
  const controller = createController({
    name: "router",
    workers: ROUTER_WORKERS,
    reconcile: firstOfOthers(reconcileOf(parts), beside),
    // what it writes has many owners, and it writes nothing that depends on what it wrote before
    behind: (key) => caches.missing(key.namespace),
    log,
    metrics,
  });
  follow(onlyWhere(stores.modelDeployments, isNewsForRouter), routerOf, controller);
  follow(stores.deployments, partOfRouter, controller);
  follow(stores.serviceAccounts, partOfRouter, controller);
  follow(stores.roleBindings, partOfRouter, controller);
  follow(stores.disruptionBudgets, partOfRouter, controller);
  follow(stores.networkPolicies, partOfRouter, controller);
  void resync(stores.modelDeployments, controller, stop, { toKeys: routerOf });
  return controller;
};

const reconcileOf = ({ api, config, events, routerObstacles, stores, writes }: Parts): Reconcile => {
  const { runtimeImage, runtimeImagePullPolicy, podUser } = config;
  return routerController({
    client: writes.writer,
    stores,
    settings: {
      ...{ runtimeImage, runtimeImagePullPolicy, podUser },
      resources: config.routerResources,
      trustForwarded: config.routerTrustForwarded,
      role: config.routerRole,
      operatorNamespace: config.namespace,
    },
    clock: api.clock,
    events,
    obstacles: routerObstacles,
  });
};
