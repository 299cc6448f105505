/**
 * The smallest operator that uses the whole engine, for the tests to run as a process and kill: keeps a copy
 * `<name>-copy` of each ConfigMap labelled `mirror=<RUN>`, whose data also names the process that wrote it.
 *   node test/engine/mirror.ts RUN IDENTITY PROBE_PORT
 */
import { Registry } from "prom-client";
import { createCaches } from "../../operator/cache/caches.ts";
import { createConsistency, recordWrites } from "../../operator/cache/consistency.ts";
import { createController } from "../../operator/controller/controller.ts";
import { createEventRecorder } from "../../operator/controller/events.ts";
import { controllerOwner, follow, itself } from "../../operator/controller/sources.ts";
import { CONFIG_MAPS } from "../../operator/kube/resources.ts";
import { ELECTION_TIMES } from "../../operator/manager/election.ts";
import { fenceWrites } from "../../operator/manager/fence.ts";
import { createLeaderElection } from "../../operator/manager/leader-election.ts";
import { runManager } from "../../operator/manager/manager.ts";
import { createLogger } from "../../operator/telemetry/logger.ts";
import { createMetrics } from "../../operator/telemetry/metrics.ts";
import { configMap, connect } from "./connection.ts";

const [run = "", identity = "", port = ""] = process.argv.slice(2);
const log = createLogger("info");
const metrics = createMetrics(new Registry());
const { client, watch, transport } = connect();
const election = createLeaderElection({
  client,
  namespace: "default",
  name: run,
  identity,
  times: ELECTION_TIMES,
  log,
});
const caches = createCaches(client, watch, (kind, error, delayMs) =>
  log.warn({ err: error, kind, delayMs }, "watch failed"),
);
const store = caches.of(CONFIG_MAPS, { mirror: run });
const consistency = createConsistency(caches.resourceVersion);
const writer = recordWrites(fenceWrites(client, election.isLeader), consistency, caches.covers);
const events = createEventRecorder({
  client,
  reportingController: "berth.dev/mirror",
  reportingInstance: identity,
  clock: Date.now,
  onFailure: (error) => log.warn({ err: error }, "an event was not recorded"),
});

const controller = createController({
  name: "mirror",
  workers: 2,
  log,
  metrics,
  isCurrent: (key) => consistency.isCurrent(store.get(key)?.metadata.uid ?? ""),
  async reconcile(key, { log }) {
    const source = store.get(key);
    if (source?.metadata.uid === undefined || source.metadata.name.endsWith("-copy")) return {};
    const [copy] = store.ownedBy(source.metadata.uid);
    if (copy?.data?.n === source.data?.n) return {};
    const { apiVersion, kind, metadata } = source;
    const owner = { apiVersion, kind, name: metadata.name, uid: source.metadata.uid, controller: true };
    const wanted = configMap(`${key.name}-copy`, { mirror: run }, { n: source.data?.n ?? "", by: identity });
    const copied = { ...wanted, metadata: { ...wanted.metadata, ownerReferences: [owner] } };
    await writer.apply(CONFIG_MAPS, copied, { fieldManager: "mirror" });
    events.event(source, "Normal", "Copied", "Copy", `copied to ${key.name}-copy`);
    log.info({ n: source.data?.n }, "copied");
    return {};
  },
});
follow(store, itself, controller);
follow(store, controllerOwner(CONFIG_MAPS), controller);

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const ports = { probePort: Number(port), metricsPort: Number(port) + 1 };
const disconnect = () => transport.close();
const code = await runManager(
  { caches, controllers: [controller], election, events, disconnect, metrics, log, ...ports, leaseName: run },
  stop.signal,
);
process.exit(code);
