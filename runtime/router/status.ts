/** What the router tells of itself: /statusz for the operator, /metrics for Prometheus. */
import { LATENCY_EDGES } from "../../contract/pod.ts";
import { histogram, type Metric, metric, render, type Value } from "../telemetry/prometheus.ts";
import { type Evidence, OUTCOMES, TRANSPORT_FAILURES } from "./counters.ts";
import type { Arm, LivePod } from "./fleet.ts";
import type { NamespaceRouter, Served } from "./namespace-router.ts";
import type { ShadowCounters } from "./shadow/counters.ts";

type EvidenceReport = { requests: number; errors: number; buckets: number[] };

/**
 * Of one revision. `evidence`: by pod, what the operator compares revisions by; each only grows, and begins at 0 with each start
 * of the router and of the pod. Pods that have left stay for two minutes. `-`: requests that found no pod.
 */
export type ArmReport = {
  waiting: number;
  pods: { name: string; ready: boolean; outstanding: number }[];
  outcomes: Record<string, number>;
  replayed: number;
  held: number;
  refused: number;
  evidence: Record<string, EvidenceReport>;
};

export type ModelReport = {
  /** Of the routing table that is applied; 0 before there is one. */
  epoch: number;
  /** Where it listens; absent where it does not, and `problem` says why. */
  port?: number;
  problem?: string;
  connections: number;
  revisions: Record<string, ArmReport>;
  /** Of copies of requests; it only grows, as the evidence does. */
  shadow: Omit<ShadowCounters, "outputs"> & { outputs: Record<string, number> };
};

export type StatusReport = {
  version: string;
  /** Changes with each start: counters of another one have nothing to do with these. */
  started: string;
  /** Since the start, by a monotonic clock: this node's own may be off from that of whoever asks. */
  ageMs: number;
  synced: boolean;
  /** Upper bounds in seconds of all buckets; each has one count more than there are edges. */
  edges: readonly number[];
  models: Record<string, ModelReport>;
};

export const statusReport = (
  router: NamespaceRouter,
  version: string,
  started: string,
  ageMs: number,
): StatusReport => ({
  version,
  started,
  ageMs: Math.round(ageMs),
  synced: router.synced(),
  edges: LATENCY_EDGES,
  models: Object.fromEntries([...router.served()].map(([name, served]) => [name, modelReport(served)])),
});

const modelReport = ({ problem, router }: Served): ModelReport => {
  const port = router.listener.port();
  return {
    epoch: router.table()?.epoch ?? 0,
    ...(port === undefined ? {} : { port }),
    ...(problem === undefined ? {} : { problem }),
    connections: router.listener.connections(),
    shadow: { ...router.shadow, outputs: Object.fromEntries(router.shadow.outputs) },
    revisions: Object.fromEntries(router.fleet.arms().map((arm) => [arm.revision, armReport(arm)])),
  };
};

const armReport = (arm: Arm): ArmReport => {
  const { held, outcomes, refused, replayed } = arm.counters;
  return {
    waiting: arm.room.size(),
    pods: arm.pods.map(({ isReady, outstanding, place }) => ({ name: place.name, ready: isReady, outstanding })),
    outcomes,
    ...{ replayed, held, refused },
    evidence: Object.fromEntries([
      ["-", plain(arm.evidence)],
      ...evidenceOf(arm).map(({ evidence, place }) => [place.name, plain(evidence)] as const),
    ]),
  };
};

const evidenceOf = ({ departed, pods }: Arm): LivePod[] => [...departed.map(({ pod }) => pod), ...pods];

const plain = ({ buckets, errors, requests }: Evidence): EvidenceReport => ({
  requests,
  errors,
  buckets: [...buckets],
});

/** The text of /metrics. */
export const renderMetrics = (router: NamespaceRouter): Promise<string> => {
  const models = [...router.served()];
  const arms = models.flatMap(([model, { router: one }]) =>
    one.fleet.arms().map((arm) => ({ arm, labels: { model, revision: arm.revision } })),
  );
  const ofArms = (type: "counter" | "gauge", name: string, help: string, value: (arm: Arm) => number): Metric =>
    metric(
      type,
      name,
      help,
      arms.map(({ arm, labels }) => ({ value: value(arm), labels })),
    );
  const ofModels = (name: string, help: string, value: (served: Served) => number): Metric =>
    metric(
      "gauge",
      name,
      help,
      models.map(([model, served]) => ({ value: value(served), labels: { model } })),
    );
  return render([
    metric(
      "counter",
      "berth_router_requests_total",
      "Requests to a revision, each once, by outcome.",
      arms.flatMap(({ arm, labels }) =>
        OUTCOMES.map((outcome): Value => ({ value: arm.counters.outcomes[outcome], labels: { ...labels, outcome } })),
      ),
    ),
    metric(
      "counter",
      "berth_router_transport_failures_total",
      "Attempts that failed for lack of a connection; no evidence on a revision.",
      arms.flatMap(({ arm, labels }) =>
        TRANSPORT_FAILURES.map((kind): Value => ({ value: arm.counters.transport[kind], labels: { ...labels, kind } })),
      ),
    ),
    histogram(
      "berth_router_first_byte_seconds",
      "From the moment when a request was sent to a pod to the first byte of its answer.",
      arms.map(({ arm, labels }) => ({
        ...{ bounds: LATENCY_EDGES, counts: [...arm.counters.buckets], sum: arm.counters.seconds, labels },
      })),
    ),
    ofArms(
      "counter",
      "berth_router_replays_total",
      "Requests that stable answered after this revision had failed.",
      ({ counters }) => counters.replayed,
    ),
    ofArms(
      "counter",
      "berth_router_held_total",
      "Requests that had to wait for a pod.",
      ({ counters }) => counters.held,
    ),
    ofArms(
      "counter",
      "berth_router_held_seconds_total",
      "Time that requests have waited for a pod.",
      ({ counters }) => counters.heldSeconds,
    ),
    ofArms(
      "counter",
      "berth_router_refused_total",
      "Requests that were turned away: too many waited, or this one for too long.",
      ({ counters }) => counters.refused,
    ),
    ofArms("gauge", "berth_router_waiting_requests", "Requests that wait for a pod now.", ({ room }) => room.size()),
    ofArms("gauge", "berth_router_inflight_requests", "Requests that pods work on.", ({ pods }) =>
      pods.reduce((sum, { outstanding }) => sum + outstanding, 0),
    ),
    ofArms("gauge", "berth_router_open_streams", "Streams that are open to pods.", ({ pods }) =>
      pods.reduce((sum, { streams }) => sum + streams, 0),
    ),
    ofArms(
      "gauge",
      "berth_router_ready_pods",
      "Pods that requests can go to.",
      ({ pods }) => pods.filter(({ isReady }) => isReady).length,
    ),
    metric(
      "counter",
      "berth_router_shadow_total",
      'Copies of requests, by outcome; with="self": answers of stable to the same request.',
      models.flatMap(([model, { router: one }]) => shadowValues(model, one.shadow)),
    ),
    ofModels(
      "berth_router_epoch",
      "The epoch of the routing table that is applied.",
      ({ router: one }) => one.table()?.epoch ?? 0,
    ),
    ofModels("berth_router_connections", "Clients' open connections.", ({ router: one }) => one.listener.connections()),
  ]);
};

const shadowValues = (model: string, { canary, dropped, failed, incomparable, self }: ShadowCounters): Value[] => {
  const value = (arm: "canary" | "self", result: string, count: number): Value => ({
    value: count,
    labels: { model, with: arm, result },
  });
  return [
    value("canary", "agreed", canary.compared - canary.disagreed),
    value("canary", "disagreed", canary.disagreed),
    value("canary", "failed", failed),
    value("canary", "incomparable", incomparable),
    value("canary", "dropped", dropped),
    value("self", "agreed", self.compared - self.disagreed),
    value("self", "disagreed", self.disagreed),
  ];
};
