/** The controller of ModelDeployments, what it asks, and what wakes it. */
import { MODEL_DEPLOYMENT_LABEL, MODEL_DEPLOYMENTS, type ModelDeployment } from "./api/v1alpha1/index.ts";
import { createNodeAutoscaling } from "./cluster/capacity/node-autoscaling.ts";
import { createSurvey, type Survey } from "./cluster/capacity/survey.ts";
import { type BatchingWatch, createBatchingWatch } from "./cluster/pod-clients/batching-watch.ts";
import { askFetchProgress } from "./cluster/pod-clients/fetch-progress.ts";
import { hearRouter } from "./cluster/pod-clients/router-signals.ts";
import { askRouterStatus } from "./cluster/pod-clients/router-status.ts";
import { askServerBatching } from "./cluster/pod-clients/server-batching.ts";
import { askServerCurve } from "./cluster/pod-clients/server-curve.ts";
import { createRouterPods } from "./cluster/routers/router-pods.ts";
import { createAskCounts, createAskRouters, readyRouters, together } from "./cluster/routers/routers.ts";
import { createScalingMetrics, showScale } from "./controllers/autoscaler/metrics.ts";
import { createScaler } from "./controllers/autoscaler/scaler.ts";
import { createObserver } from "./controllers/evidence/observer.ts";
import { isServer, readyServers } from "./controllers/model-deployment/observe.ts";
import { modelDeploymentController } from "./controllers/model-deployment/reconcile.ts";
import { createRouterNews } from "./controllers/namespace-router/news.ts";
import type { Scaler } from "./domain/scaling/scale.ts";
import { besideOthers } from "./neighbours.ts";
import { monotonic, type Parts } from "./parts.ts";
import { type Controller, createController } from "./platform/controller/controller.ts";
import type { Reconcile } from "./platform/controller/result.ts";
import { anyOf, controllerOwner, follow, itself, namedByLabel, resync } from "./platform/controller/sources.ts";
import type { ObjectKey } from "./platform/kube/objects.ts";

/** What works while this process leads. */
export type ModelDeploymentLoops = { controller: Controller; scaler: Scaler; batching: BatchingWatch };

/** What more than one of them asks. */
type Asked = { survey: Survey; routerPods: ReturnType<typeof createRouterPods>; changed(key: ObjectKey): void };

/** Is woken from now on, and works once it is run. */
export const prepareModelDeployments = (parts: Parts, stop: AbortSignal): ModelDeploymentLoops => {
  const { api, beside, config, log, metrics, stores, writes } = parts;
  const asked: Asked = {
    survey: createSurvey(api.client, (error) => log.warn({ err: error }, "the free capacity of the nodes is unknown")),
    routerPods: createRouterPods(stores.pods),
    changed: (key) => controller.add(key),
  };
  const scaler = scalerOf(parts, asked);
  const batching = createBatchingWatch({
    pods: () => readyServers(stores.pods.list()),
    ask: askServerBatching,
    clock: api.clock,
    changed: asked.changed,
  });
  const controller: Controller = createController({
    name: "model-deployment",
    workers: config.workers,
    reconcile: besideOthers(reconcileOf(parts, asked, scaler, batching), beside),
    behind: writes.behind,
    log,
    metrics,
  });
  wake(parts, controller);
  void resync(stores.modelDeployments, controller, stop);
  return { controller, scaler, batching };
};

const scalerOf = ({ api, config, log, metrics, stores }: Parts, { changed, routerPods, survey }: Asked): Scaler => {
  const scaling = createScalingMetrics(metrics.registry);
  return createScaler({
    podsOf: (key) => stores.pods.labelled(key).filter(isServer),
    routersOf: (namespaces) => readyRouters(routerPods, namespaces),
    hear: hearRouter,
    askCurve: askServerCurve,
    survey,
    nodesCome: createNodeAutoscaling(config.nodeAutoscaling, api.client, monotonic, (what) =>
      log.info({ what }, "node autoscaling is on: pods may wait for new nodes"),
    ),
    clock: api.clock,
    changed,
    report: (key, scale, uncapped) => showScale(scaling, key, scale, uncapped),
    failed: (error, key) =>
      log.error({ err: error, ...key }, "the load could not be read; the operator tries again in 1 s"),
  });
};

const reconcileOf = (
  parts: Parts,
  { routerPods, survey }: Asked,
  scaler: Scaler,
  batching: BatchingWatch,
): Reconcile => {
  const { api, beside, config, events, routerObstacles, stores, writes } = parts;
  const { runtimeImage, runtimeImagePullPolicy, allowHttpModels, podUser } = config;
  const { clock } = api;
  return modelDeploymentController({
    client: writes.writer,
    stores,
    settings: { runtimeImage, runtimeImagePullPolicy, allowHttpModels, podUser },
    operatorNamespace: config.namespace,
    operator: beside.self,
    clock,
    events,
    askProgress: askFetchProgress,
    askRouters: createAskRouters(routerPods, together(askRouterStatus, monotonic)),
    observer: createObserver(createAskCounts(routerPods, askRouterStatus, clock)),
    survey,
    scaler,
    askRouterNews: createRouterNews(stores, routerObstacles),
    endedIn: batching.endedIn,
  });
};

/** One without an owner is adopted by the ModelDeployment that its label names. */
const owned = anyOf(controllerOwner(MODEL_DEPLOYMENTS), namedByLabel(MODEL_DEPLOYMENT_LABEL));

const wake = ({ stores }: Parts, controller: Controller): void => {
  follow(stores.modelDeployments, itself, controller, isUnseen);
  follow(stores.deployments, owned, controller);
  follow(stores.services, owned, controller);
  follow(stores.controllerRevisions, owned, controller);
  follow(stores.configMaps, owned, controller);
  follow(stores.disruptionBudgets, owned, controller);
  follow(stores.networkPolicies, owned, controller);
  follow(stores.modelRollouts, owned, controller);
  follow(stores.pods, namedByLabel(MODEL_DEPLOYMENT_LABEL), controller);
};

/** Its spec was changed while no operator was there, or it is new. */
const isUnseen = ({ metadata, status }: ModelDeployment): boolean => status?.observedGeneration !== metadata.generation;
