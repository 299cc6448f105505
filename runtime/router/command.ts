/** `berth-runtime route`: the router of a namespace, until it is told to end. */
import type { Server } from "node:http";
import { collectWhenQuiet } from "../memory/collect.ts";
import { MIB, memoryLimit, waitingBytes } from "../memory/limit.ts";
import { createAdminServer } from "../telemetry/admin.ts";
import type { Logger } from "../telemetry/logger.ts";
import { packageVersion } from "../telemetry/version.ts";
import { TIMES } from "../transport/http/times.ts";
import { listenAddress } from "../transport/listen-address.ts";
import { createPace } from "../transport/pace.ts";
import { createKeptBytes } from "./kept-bytes.ts";
import { createNamespaceRouter, type NamespaceRouter } from "./namespace-router.ts";
import type { RouteOptions } from "./options.ts";
import { createJudging } from "./shadow/judging.ts";
import { createSignals, type Signals } from "./signals.ts";
import { renderMetrics, statusReport } from "./status.ts";
import { type ApiServer, createApiServer } from "./watch/api-server.ts";
import { decodeEndpointSlice } from "./watch/endpoint-slices.ts";
import { follow } from "./watch/follow.ts";
import { decodeModelDeployment } from "./watch/model-deployments.ts";

/** What the process takes without anything that waits: 110 MB at rest, and its heap under load. */
const OWN_BYTES = 256 * MIB;
/** Requests go on coming until those who send them have heard that this router leaves. */
const QUIET_MS = 2000;
const SWEEP_MS = 1000;
const MANAGED = "app.kubernetes.io/managed-by=berth";

/** A router that runs. */
type State = {
  readonly options: RouteOptions;
  readonly log: Logger;
  readonly router: NamespaceRouter;
  readonly signals: Signals;
  /** RFC 3339, and in milliseconds of the process's own clock. */
  readonly started: string;
  readonly bornAt: number;
  isDraining: boolean;
};

/** Resolves to the exit code. */
export const routeCommand = async (options: RouteOptions, log: Logger): Promise<number> => {
  const ended = new AbortController();
  const state = start(options, log);
  const { router } = state;
  const { apiServer: url, caFile, tokenFile } = options;
  const api = await createApiServer({ url, caFile, tokenFile });
  const follows = followRoutes(state, api, ended.signal);
  const admin = createAdmin(state);
  const sweep = setInterval(() => router.sweep(now()), SWEEP_MS);

  const code = await untilTold(state, admin);
  clearInterval(sweep);
  state.signals.close();
  ended.abort();
  router.close();
  admin.close();
  await Promise.all(follows);
  await api.close();
  return code;
};

const now = (): number => performance.now();

const start = (options: RouteOptions, log: Logger): State => {
  const mostWaiting = options.maxWaitingBytes ?? waitingBytes(memoryLimit(), OWN_BYTES);
  const started = new Date().toISOString();
  const router: NamespaceRouter = createNamespaceRouter({
    waits: (model, arm) => state.signals.waits(model, arm),
    ...{ host: options.host, now, log, random: Math.random, times: TIMES },
    kept: createKeptBytes(mostWaiting, now, collectWhenQuiet(Number.POSITIVE_INFINITY)),
    pace: createPace(),
    judging: createJudging(),
    maxHeldBytes: mostWaiting,
    cap: options.maxOutstanding,
    maxStreams: options.maxStreams,
    maxConnectionAgeMs: options.maxConnectionAgeMs,
    maxConnections: options.maxConnections,
    isTrusted: options.isTrusted,
    closing: () => state.isDraining,
    report: (error) => log.error({ err: error }, "a port failed"),
  });
  const state: State = {
    ...{ options, log, router, started },
    signals: createSignals(router, started),
    bornAt: now(),
    isDraining: false,
  };
  return state;
};

/** Resolve when `signal` has ended them. */
const followRoutes = ({ log, options, router }: State, api: ApiServer, signal: AbortSignal): Promise<void>[] => {
  const onFailure = (error: unknown, delayMs: number): void =>
    log.warn(`${error instanceof Error ? error.message : String(error)}; trying again in ${Math.round(delayMs)} ms`);
  const common = { api, onFailure, random: Math.random };
  const models = {
    path: `/apis/berth.dev/v1alpha1/namespaces/${options.namespace}/modeldeployments`,
    decode: decodeModelDeployment,
    onChange: router.setModels,
  };
  const slices = {
    path: `/apis/discovery.k8s.io/v1/namespaces/${options.namespace}/endpointslices`,
    labelSelector: MANAGED,
    decode: decodeEndpointSlice,
    onChange: router.setSlices,
  };
  return [follow({ ...common, ...models }, signal), follow({ ...common, ...slices }, signal)];
};

const createAdmin = (state: State): Server => {
  const { bornAt, router, signals, started } = state;
  const version = packageVersion();
  return createAdminServer({
    // what answers this is the loop that serves requests: a standing one does not answer at all
    stuck: () => undefined,
    notReady: () => {
      if (state.isDraining) return "the router is draining";
      return router.synced() ? undefined : "the router waits for the routes from the API server";
    },
    status: async () => statusReport(router, version, started, now() - bornAt),
    metrics: () => renderMetrics(router),
    signals: (response) => signals.stream(response),
  });
};

/** Opens the admin port. Resolves to the exit code when a signal has ended the router; rejects where the port fails. */
const untilTold = (state: State, admin: Server): Promise<number> => {
  const { log, options, router } = state;
  const { adminPort, drainTimeoutMs, host, namespace } = options;
  const { promise, reject, resolve } = Promise.withResolvers<number>();
  admin.once("error", reject);
  admin.listen({ port: adminPort, ...listenAddress(host) }, () => {
    const address = admin.address();
    const port = typeof address === "object" ? address?.port : undefined;
    log.info({ adminPort: port }, `routing for the ModelDeployments of namespace ${namespace}`);
  });
  const end = (signal: "SIGTERM" | "SIGINT"): void => {
    if (state.isDraining) {
      if (signal === "SIGINT") resolve(130);
      return;
    }
    state.isDraining = true;
    log.info(`${signal}: draining`);
    const quietMs = signal === "SIGTERM" ? QUIET_MS : 0;
    router.drain({ quietMs, graceMs: drainTimeoutMs }).then(() => resolve(0), reject);
  };
  process.on("SIGTERM", () => end("SIGTERM"));
  process.on("SIGINT", () => end("SIGINT"));
  return promise;
};
