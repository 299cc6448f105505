/** Puts the operator together, and runs it. */
import { hostname } from "node:os";
import type { Logger } from "pino";
import { Registry } from "prom-client";
import { type ApiServer, reachApiServer } from "./api-server.ts";
import type { Config } from "./config.ts";
import { prepareModelDeployments } from "./model-deployments.ts";
import { prepareRouters } from "./namespace-routers.ts";
import { createLook } from "./neighbours.ts";
import { monotonic, type Parts } from "./parts.ts";
import type { Controller } from "./platform/controller/controller.ts";
import { createEventRecorder, type EventSender } from "./platform/controller/events.ts";
import { itself } from "./platform/controller/sources.ts";
import { containRejections } from "./platform/manager/contain.ts";
import { logNews, type SchemaNews } from "./platform/manager/installed-schema.ts";
import { runManager } from "./platform/manager/manager.ts";
import { createLogger } from "./platform/telemetry/logger.ts";
import { createMetrics } from "./platform/telemetry/metrics.ts";
import { type Stores, watchCluster } from "./stores.ts";
import { createWrites } from "./writes.ts";

/** By then all modules are loaded and the caches are full. */
export const STARTED_MS = 2_000;

/** Runs the operator until the signal; resolves to the process's exit code. */
export const run = async (config: Config, stop: AbortSignal): Promise<number> => {
  const log = createLogger(config.logLevel);
  containRejections(process, log);
  const parts = partsOf(config, log, (news) => {
    logNews(log, news);
    lookAgain(parts.stores, loops.controller);
  });
  const { api, caches, events, metrics, writes } = parts;
  void writes.installed.run(stop, STARTED_MS);
  const loops = prepareModelDeployments(parts, stop);
  const routers = prepareRouters(parts, stop);
  const { disconnect, election } = api;
  const { leaseName, metricsPort, probePort } = config;
  const controllers = [loops.controller, routers, loops.scaler, loops.batching];
  return await runManager(
    { caches, controllers, election, events, disconnect, metrics, log, probePort, metricsPort, leaseName },
    stop,
  );
};

const partsOf = (config: Config, log: Logger, onNews: (news: SchemaNews) => void): Parts => {
  const metrics = createMetrics(new Registry());
  const api = reachApiServer(config, log, metrics);
  const { caches, stores } = watchCluster(api, config.watchNamespaces, log, metrics);
  const writes = createWrites(api, caches, stores, onNews);
  const events = eventsTo(api, log);
  const beside = {
    self: `${config.namespace}/${config.leaseName}`,
    modelDeployments: stores.modelDeployments,
    look: createLook(api.client, monotonic),
    events,
  };
  return { config, log, metrics, api, caches, stores, writes, events, beside, routerObstacles: new Map() };
};

const eventsTo = ({ client, clock }: ApiServer, log: Logger): EventSender =>
  createEventRecorder({
    client,
    reportingController: "berth.dev/operator",
    reportingInstance: hostname(),
    clock,
    onFailure: (error) => log.warn({ err: error }, "an event was not recorded"),
  });

/** What the schemas in the cluster kept from being written can be now, or no longer is. */
const lookAgain = ({ modelDeployments }: Stores, controller: Controller): void => {
  for (const object of modelDeployments.list()) for (const key of itself(object)) controller.add(key, "low");
};
