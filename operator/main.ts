import { flushCompileCache } from "node:module";
import { hostname } from "node:os";
import { Registry } from "prom-client";
import { modelDeploymentCrd, modelRolloutCrd } from "./api/v1alpha1/crd.ts";
import {
  API_VERSION,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  MODEL_DEPLOYMENT_LABEL,
  MODEL_DEPLOYMENTS,
  MODEL_ROLLOUTS,
  type ModelDeployment,
} from "./api/v1alpha1/index.ts";
import type { Obstacle } from "./apply/obstacle.ts";
import { createNodeAutoscaling } from "./cluster/capacity/node-autoscaling.ts";
import { createSurvey } from "./cluster/capacity/survey.ts";
import { createBatchingWatch } from "./cluster/pod-clients/batching-watch.ts";
import { askFetchProgress } from "./cluster/pod-clients/fetch-progress.ts";
import { hearRouter } from "./cluster/pod-clients/router-signals.ts";
import { askRouterStatus } from "./cluster/pod-clients/router-status.ts";
import { askServerBatching } from "./cluster/pod-clients/server-batching.ts";
import { askServerCurve } from "./cluster/pod-clients/server-curve.ts";
import { createRouterPods } from "./cluster/routers/router-pods.ts";
import { createAskCounts, createAskRouters, readyRouters, together } from "./cluster/routers/routers.ts";
import { type Config, ConfigError, parseConfig, USAGE } from "./config.ts";
import { createScalingMetrics, showScale } from "./controllers/autoscaler/metrics.ts";
import { createScaler } from "./controllers/autoscaler/scaler.ts";
import { createObserver } from "./controllers/evidence/observer.ts";
import { isServer, readyServers } from "./controllers/model-deployment/observe.ts";
import { modelDeploymentController } from "./controllers/model-deployment/reconcile.ts";
import { createRouterNews } from "./controllers/namespace-router/news.ts";
import { isNewsForRouter, partOfRouter, routerController, routerOf } from "./controllers/namespace-router/reconcile.ts";
import { besideOthers, createLook, firstOfOthers, WATCHED_ANNOTATION } from "./neighbours.ts";
import { createCaches } from "./platform/cache/caches.ts";
import { createConsistency, forgetGone, recordWrites } from "./platform/cache/consistency.ts";
import { type Controller, createController } from "./platform/controller/controller.ts";
import { createEventRecorder } from "./platform/controller/events.ts";
import {
  anyOf,
  controllerOwner,
  follow,
  itself,
  namedByLabel,
  onlyWhere,
  resync,
} from "./platform/controller/sources.ts";
import { createClient } from "./platform/kube/create-client.ts";
import type { KubeError } from "./platform/kube/errors.ts";
import { readKubeConfig } from "./platform/kube/kubeconfig.ts";
import { createReadServed } from "./platform/kube/open-api.ts";
import { createRateLimit } from "./platform/kube/rate-limit.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "./platform/kube/resources.ts";
import { createServerClock, SKEW_MS } from "./platform/kube/server-clock.ts";
import { createTransport } from "./platform/kube/transport.ts";
import { createWatch } from "./platform/kube/watch.ts";
import { containRejections } from "./platform/manager/contain.ts";
import { createInstalledSchema, logNews, type OwnKind } from "./platform/manager/installed-schema.ts";
import { createLeaderElection } from "./platform/manager/leader-election.ts";
import { runManager } from "./platform/manager/manager.ts";
import { createLogger } from "./platform/telemetry/logger.ts";
import { createMetrics, requestObserver } from "./platform/telemetry/metrics.ts";

/** Namespaces whose routers are looked at together. */
const ROUTER_WORKERS = 4;

/** By then all modules are loaded and the caches are full. */
const STARTED_MS = 2_000;

const monotonic = (): number => performance.now();

/** Runs the operator until the signal; resolves to the process's exit code. */
const run = async (config: Config, stop: AbortSignal): Promise<number> => {
  const log = createLogger(config.logLevel);
  containRejections(process, log);
  const metrics = createMetrics(new Registry());
  const scaling = createScalingMetrics(metrics.registry);

  // The API server: one set of connections for the work, one for the lease.
  const credentials = readKubeConfig(config.kubeconfig);
  const observe = requestObserver(metrics);
  const { electionTimes } = config;
  const { heard, now: clock } = createServerClock({
    onSkew(aheadMs) {
      const aheadSeconds = Math.round(aheadMs / 1000);
      if (Math.abs(aheadMs) < SKEW_MS) log.info("this node's clock agrees with the API server's again");
      else
        log.warn(
          { aheadSeconds },
          "this node's clock differs from the API server's; the operator uses the API server's time",
        );
    },
  });
  const electionTransport = createTransport(credentials, { observe, heard });
  const election = createLeaderElection({
    // A renewal that takes half of its deadline has failed: there is time for another, and none to wait inside of one.
    client: createClient(electionTransport, { timeoutMs: electionTimes.renewDeadlineMs / 2, tries: 1 }),
    namespace: config.namespace,
    name: config.leaseName,
    identity: config.identity,
    times: electionTimes,
    annotations: { [WATCHED_ANNOTATION]: config.watchNamespaces.join(",") },
    clock,
    log,
  });
  // What is written: only while we lead.
  const transport = createTransport(credentials, { observe, heard, mayWrite: election.isLeader });
  const limit = createRateLimit(config.apiRate);
  const client = createClient(transport, { limit });

  // What is watched: every ModelDeployment, or those of some namespaces, and of the other kinds only what we made.
  const onWatchFailure = (kind: string, error: KubeError, delayMs: number, namespace: string | undefined) => {
    metrics.watchFailures.inc({ kind, reason: error.reason });
    log.warn({ err: error, kind, namespace, delayMs }, "watch failed");
  };
  const lister = createClient(transport, { limit, purpose: "watch" });
  const caches = createCaches(lister, createWatch(transport), onWatchFailure, config.watchNamespaces);
  const ours = { [MANAGED_BY_LABEL]: MANAGED_BY };
  const lean = { managedFields: "unused" } as const;
  // `managedFields` say who has set spec.replicas, and who has edited a Deployment: of the others nobody asks
  const stores = {
    modelDeployments: caches.of(MODEL_DEPLOYMENTS, {}, undefined, { spec: "seldomChanged" }),
    deployments: caches.of(DEPLOYMENTS, ours, MODEL_DEPLOYMENT_LABEL),
    services: caches.of(SERVICES, ours, MODEL_DEPLOYMENT_LABEL, lean),
    controllerRevisions: caches.of(CONTROLLER_REVISIONS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    configMaps: caches.of(CONFIG_MAPS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    disruptionBudgets: caches.of(POD_DISRUPTION_BUDGETS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    networkPolicies: caches.of(NETWORK_POLICIES, ours, MODEL_DEPLOYMENT_LABEL, lean),
    pods: caches.of(PODS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    modelRollouts: caches.of(MODEL_ROLLOUTS, ours, MODEL_DEPLOYMENT_LABEL, lean),
    serviceAccounts: caches.of(SERVICE_ACCOUNTS, ours, undefined, lean),
    roleBindings: caches.of(ROLE_BINDINGS, ours, undefined, lean),
  };

  const routerPods = createRouterPods(stores.pods);

  // What is written goes into the caches as it is answered, and is remembered until they have it.
  const parents = { resource: MODEL_DEPLOYMENTS, store: stores.modelDeployments };
  const consistency = createConsistency(caches.hasSeen);
  forgetGone(parents, consistency);
  const installed = createInstalledSchema(createReadServed(transport, API_VERSION), ownKinds, (news) => {
    logNews(log, news);
    for (const object of stores.modelDeployments.list()) for (const key of itself(object)) controller.add(key, "low");
  });
  void installed.run(stop, STARTED_MS);
  const writer = recordWrites(installed.writer(client), consistency, caches, parents);
  const events = createEventRecorder({
    client,
    reportingController: "berth.dev/operator",
    reportingInstance: hostname(),
    clock,
    onFailure: (error) => log.warn({ err: error }, "an event was not recorded"),
  });

  // The controllers and what wakes them.
  const { runtimeImage, runtimeImagePullPolicy, allowHttpModels, podUser } = config;
  const survey = createSurvey(client, (error) => log.warn({ err: error }, "the free capacity of the nodes is unknown"));
  const scaler = createScaler({
    podsOf: (key) => stores.pods.labelled(key).filter(isServer),
    routersOf: (namespaces) => readyRouters(routerPods, namespaces),
    hear: hearRouter,
    askCurve: askServerCurve,
    survey,
    nodesCome: createNodeAutoscaling(config.nodeAutoscaling, client, monotonic, (what) =>
      log.info({ what }, "node autoscaling is on: pods may wait for new nodes"),
    ),
    clock,
    changed: (key) => controller.add(key),
    report: (key, scale, uncapped) => showScale(scaling, key, scale, uncapped),
    failed: (error, key) =>
      log.error({ err: error, ...key }, "the load could not be read; the operator tries again in 1 s"),
  });
  const batching = createBatchingWatch({
    pods: () => readyServers(stores.pods.list()),
    ask: askServerBatching,
    clock,
    changed: (key) => controller.add(key),
  });
  /** By namespace, what is in the way of its routers. */
  const routerObstacles = new Map<string, readonly Obstacle[]>();
  const self = `${config.namespace}/${config.leaseName}`;
  const beside = { self, modelDeployments: stores.modelDeployments, look: createLook(client, monotonic), events };
  const controller: Controller = createController({
    name: "model-deployment",
    workers: config.workers,
    reconcile: besideOthers(
      modelDeploymentController({
        client: writer,
        stores,
        settings: { runtimeImage, runtimeImagePullPolicy, allowHttpModels, podUser },
        operatorNamespace: config.namespace,
        operator: self,
        clock,
        events,
        askProgress: askFetchProgress,
        askRouters: createAskRouters(routerPods, together(askRouterStatus, monotonic)),
        observer: createObserver(createAskCounts(routerPods, askRouterStatus, clock)),
        survey,
        scaler,
        askRouterNews: createRouterNews(stores, routerObstacles),
        endedIn: batching.endedIn,
      }),
      beside,
    ),
    behind: (key) => [
      ...caches.missing(key.namespace),
      ...consistency.behind(stores.modelDeployments.get(key)?.metadata.uid ?? ""),
    ],
    log,
    metrics,
  });
  // one without an owner is adopted by the ModelDeployment that its label names
  const owned = anyOf(controllerOwner(MODEL_DEPLOYMENTS), namedByLabel(MODEL_DEPLOYMENT_LABEL));
  follow(stores.modelDeployments, itself, controller, isUnseen);
  follow(stores.deployments, owned, controller);
  follow(stores.services, owned, controller);
  follow(stores.controllerRevisions, owned, controller);
  follow(stores.configMaps, owned, controller);
  follow(stores.disruptionBudgets, owned, controller);
  follow(stores.networkPolicies, owned, controller);
  follow(stores.modelRollouts, owned, controller);
  follow(stores.pods, namedByLabel(MODEL_DEPLOYMENT_LABEL), controller);
  void resync(stores.modelDeployments, controller, stop);

  const routers: Controller = createController({
    name: "router",
    workers: ROUTER_WORKERS,
    reconcile: firstOfOthers(
      routerController({
        client: writer,
        stores,
        settings: {
          ...{ runtimeImage, runtimeImagePullPolicy, podUser },
          resources: config.routerResources,
          trustForwarded: config.routerTrustForwarded,
          role: config.routerRole,
          operatorNamespace: config.namespace,
        },
        clock,
        events,
        obstacles: routerObstacles,
      }),
      beside,
    ),
    // what it writes has many owners, and it writes nothing that depends on what it wrote before
    behind: (key) => caches.missing(key.namespace),
    log,
    metrics,
  });
  follow(onlyWhere(stores.modelDeployments, isNewsForRouter), routerOf, routers);
  follow(stores.deployments, partOfRouter, routers);
  follow(stores.serviceAccounts, partOfRouter, routers);
  follow(stores.roleBindings, partOfRouter, routers);
  follow(stores.disruptionBudgets, partOfRouter, routers);
  follow(stores.networkPolicies, partOfRouter, routers);
  void resync(stores.modelDeployments, routers, stop, { toKeys: routerOf });

  const { probePort, metricsPort } = config;
  const disconnect = async () => void (await Promise.all([transport.close(), electionTransport.close()]));
  const controllers = [controller, routers, scaler, batching];
  return await runManager(
    {
      caches,
      controllers,
      election,
      events,
      disconnect,
      metrics,
      log,
      probePort,
      metricsPort,
      leaseName: config.leaseName,
    },
    stop,
  );
};

/** As this operator knows them. */
const ownKinds = (): OwnKind[] =>
  [
    { resource: MODEL_DEPLOYMENTS, crd: modelDeploymentCrd() },
    { resource: MODEL_ROLLOUTS, crd: modelRolloutCrd() },
  ].flatMap(({ resource, crd }) =>
    crd.spec.versions.map(({ schema }) => ({ resource, schema: schema.openAPIV3Schema })),
  );

/** Its spec was changed while no operator was there, or it is new. */
const isUnseen = ({ metadata, status }: ModelDeployment): boolean => status?.observedGeneration !== metadata.generation;

const fail = (message: string, exitCode: number): never => {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
};

const configOf = (args: string[]): Config => {
  try {
    const config = parseConfig(args);
    if (config !== "help") return config;
  } catch (error) {
    return fail(error instanceof ConfigError ? `berth: ${error.message} (--help lists the options)` : String(error), 2);
  }
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
};

// Node keeps compiled code when it ends by itself; without this, a start after a kill would take half a second longer
setTimeout(flushCompileCache, STARTED_MS).unref();
const config = configOf(process.argv.slice(2));
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
// Not merely the code: after a lost lease, nothing that is still under way may go on.
run(config, stop.signal).then(process.exit, (error: unknown) => fail(`berth: ${error}`, 1));
