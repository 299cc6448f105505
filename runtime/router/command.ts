/** `berth-runtime route`: the router of a namespace, until it is told to end. */

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
import { createSignals, type Signals } from "./signals.ts";
import { renderMetrics, statusReport } from "./status.ts";
import { createApiServer } from "./watch/api-server.ts";
import { decodeEndpointSlice } from "./watch/endpoint-slices.ts";
import { follow } from "./watch/follow.ts";
import { decodeModelDeployment } from "./watch/model-deployments.ts";

/** What the process takes without anything that waits: 110 MB at rest, and its heap under load. */
const OWN_BYTES = 256 * MIB;
/** Requests go on coming until those who send them have heard that this router leaves. */
const QUIET_MS = 2000;
const SWEEP_MS = 1000;
const MANAGED = "app.kubernetes.io/managed-by=berth";

/** Resolves to the exit code. */
export const routeCommand = async (options: RouteOptions, log: Logger): Promise<number> => {
  const { adminPort, drainTimeoutMs, host, namespace } = options;
  const now = (): number => performance.now();
  const ended = new AbortController();
  const started = new Date().toISOString();
  const bornAt = now();
  const version = packageVersion();
  let draining = false;
  const mostWaiting = options.maxWaitingBytes ?? waitingBytes(memoryLimit(), OWN_BYTES);
  const router: NamespaceRouter = createNamespaceRouter({
    waits: (model, arm) => signals.waits(model, arm),
    ...{ host, now, log, random: Math.random, times: TIMES },
    kept: createKeptBytes(mostWaiting, now, collectWhenQuiet(Number.POSITIVE_INFINITY)),
    pace: createPace(),
    maxHeldBytes: mostWaiting,
    cap: options.maxOutstanding,
    maxStreams: options.maxStreams,
    maxConnectionAgeMs: options.maxConnectionAgeMs,
    maxConnections: options.maxConnections,
    isTrusted: options.isTrusted,
    closing: () => draining,
    report: (error) => log.error({ err: error }, "a port failed"),
  });

  const signals: Signals = createSignals(router, started);

  const api = await createApiServer({
    url: options.apiServer,
    caFile: options.caFile,
    tokenFile: options.tokenFile,
  });
  const onFailure = (error: unknown, delayMs: number): void =>
    log.warn(`${error instanceof Error ? error.message : String(error)}; trying again in ${Math.round(delayMs)} ms`);
  const common = { api, onFailure, random: Math.random };
  const follows = [
    follow(
      {
        ...common,
        path: `/apis/berth.dev/v1alpha1/namespaces/${namespace}/modeldeployments`,
        decode: decodeModelDeployment,
        onChange: router.setModels,
      },
      ended.signal,
    ),
    follow(
      {
        ...common,
        path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
        labelSelector: MANAGED,
        decode: decodeEndpointSlice,
        onChange: router.setSlices,
      },
      ended.signal,
    ),
  ];

  const admin = createAdminServer({
    // what answers this is the loop that serves requests: a standing one does not answer at all
    stuck: () => undefined,
    notReady: () => {
      if (draining) return "the router is draining";
      return router.synced() ? undefined : "the router waits for the routes from the API server";
    },
    status: async () => statusReport(router, version, started, now() - bornAt),
    metrics: () => renderMetrics(router),
    signals: (response) => signals.stream(response),
  });
  const sweep = setInterval(() => router.sweep(now()), SWEEP_MS);

  const { promise, reject, resolve } = Promise.withResolvers<number>();
  admin.once("error", reject);
  admin.listen({ port: adminPort, ...listenAddress(host) }, () => {
    const address = admin.address();
    const port = typeof address === "object" ? address?.port : undefined;
    log.info({ adminPort: port }, `routing for the ModelDeployments of namespace ${namespace}`);
  });
  const end = (signal: "SIGTERM" | "SIGINT"): void => {
    if (draining) {
      if (signal === "SIGINT") resolve(130);
      return;
    }
    draining = true;
    log.info(`${signal}: draining`);
    const quietMs = signal === "SIGTERM" ? QUIET_MS : 0;
    router.drain({ quietMs, graceMs: drainTimeoutMs }).then(() => resolve(0), reject);
  };
  process.on("SIGTERM", () => end("SIGTERM"));
  process.on("SIGINT", () => end("SIGINT"));

  const code = await promise;
  clearInterval(sweep);
  signals.close();
  ended.abort();
  router.close();
  admin.close();
  await Promise.all(follows);
  await api.close();
  return code;
};
