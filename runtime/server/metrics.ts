import { LATENCY_BOUNDS_MS } from "../inference/batching/counters.ts";
import type { ModelStatistics } from "../inference/index.ts";
import { histogram, type Metric, metric, render, single, type Value } from "../telemetry/prometheus.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Known } from "./status.ts";

// The door counts in plain numbers, so that a request pays for no metric; here, only when somebody scrapes, they get the
// names and the form that Prometheus wants.

const seconds = (milliseconds: readonly number[]): number[] => milliseconds.map((ms) => ms / 1000);

const own = (known: Known): Metric[] => {
  const { options, digest, loaded } = known;
  const labels = {
    name: options.name,
    version: options.modelVersion,
    digest: digest === undefined ? "" : `sha256:${digest}`,
  };
  return [
    single("gauge", "berth_model_info", "The model that is served.", 1, labels),
    single("gauge", "berth_ready", "1 while the server is ready.", known.notReady === undefined ? 1 : 0),
    single("gauge", "berth_shards_ready", "Shards that can run the model now.", known.readyShards),
    single("counter", "berth_shard_restarts_total", "Shards that ended and were started again.", known.shardRestarts),
    ...(loaded === undefined
      ? []
      : [single("gauge", "berth_model_load_seconds", "Time of the first load of the model.", loaded.loadSeconds)]),
  ];
};

const load = ({ http, grpc, scheduler, statistics, memory, longestTurnMs }: Snapshot): Metric[] => {
  const { counters } = scheduler;
  const status = (protocol: string, requests: Readonly<Record<string, number>>): Value[] =>
    Object.entries(requests).map(([code, value]) => ({ value, labels: { protocol, code } }));
  return [
    metric("counter", "berth_requests_total", "Requests that were answered, by protocol and status code.", [
      ...status("http", http.requests),
      ...grpcCodes(grpc.calls),
    ]),
    histogram("berth_request_duration_seconds", "From the end of a request's header to its answer, POST only.", [
      { bounds: http.duration.bounds, counts: http.duration.counts, sum: http.duration.sumSeconds, labels: {} },
    ]),
    histogram("berth_inference_duration_seconds", "Time of an inference in the server, queue included.", [
      {
        bounds: seconds(LATENCY_BOUNDS_MS),
        counts: counters.requestMs.counts,
        sum: counters.requestMs.sumMs / 1000,
        labels: {},
      },
    ]),
    histogram("berth_queue_duration_seconds", "Time that an inference waited for its run.", [
      {
        bounds: seconds(LATENCY_BOUNDS_MS),
        counts: counters.queueMs.counts,
        sum: counters.queueMs.sumMs / 1000,
        labels: {},
      },
    ]),
    metric(
      "counter",
      "berth_inference_errors_total",
      "Inferences that failed, by reason.",
      Object.entries(counters.errors).map(([reason, value]) => ({ value, labels: { reason } })),
    ),
    single("gauge", "berth_inflight_requests", "Inferences that wait or run.", scheduler.queued + scheduler.inFlight),
    single("gauge", "berth_queued_requests", "Inferences that wait.", scheduler.queued),
    single(
      "gauge",
      "berth_queued_bytes",
      "Memory that all inferences that wait or run are charged for.",
      scheduler.queuedBytes,
    ),
    single("gauge", "berth_waiting_bytes", "Memory of bodies, requests and answers that wait.", memory.used),
    single(
      "gauge",
      "berth_longest_turn_seconds",
      "Longest processor time that one turn held the event loop, in the last one to two minutes.",
      longestTurnMs / 1000,
    ),
    single("gauge", "berth_waiting_bytes_limit", "Limit of berth_waiting_bytes.", memory.most),
    single("gauge", "berth_batch_size", "The most items that a run takes together now.", scheduler.batching.size),
    single(
      "gauge",
      "berth_batching_ended",
      "1 once batching has ended for good, because an answer in a batch differed from the one alone.",
      scheduler.batching.state === "ended" ? 1 : 0,
    ),
    metric(
      "counter",
      "berth_batch_checks_total",
      "Requests of batches that were run again alone and compared, by result.",
      Object.entries(scheduler.checks).map(([result, value]) => ({ value, labels: { result } })),
    ),
    metric("gauge", "berth_connections", "Open connections.", [
      { value: http.connections, labels: { protocol: "http" } },
      { value: grpc.connections, labels: { protocol: "grpc" } },
    ]),
    ...triton(statistics),
  ];
};

/** Calls of all methods together, by gRPC's numeric status. */
const grpcCodes = (calls: Snapshot["grpc"]["calls"]): Value[] => {
  const codes = Array.from({ length: 17 }, (_, code) => calls.reduce((sum, { codes }) => sum + (codes[code] ?? 0), 0));
  return codes.flatMap((value, code) => (value === 0 ? [] : [{ value, labels: { protocol: "grpc", code } }]));
};

/** Under Triton's names too, so that dashboards made for it go on working. Durations in microseconds, as there. */
const triton = (statistics: ModelStatistics): Metric[] => {
  const us = (name: string, help: string, { ns }: { ns: number }): Metric =>
    single("counter", name, help, Math.round(ns / 1000));
  return [
    single("counter", "nv_inference_request_success", "Requests that were answered.", statistics.success.count),
    single("counter", "nv_inference_request_failure", "Requests that failed.", statistics.fail.count),
    single("counter", "nv_inference_count", "Items that were inferred.", statistics.inferenceCount),
    single("counter", "nv_inference_exec_count", "Runs of the model.", statistics.executionCount),
    us("nv_inference_request_duration_us", "Time of requests.", statistics.success),
    us("nv_inference_queue_duration_us", "Time that requests waited.", statistics.queue),
    us("nv_inference_compute_input_duration_us", "Time of assembling batches.", statistics.computeInput),
    us("nv_inference_compute_infer_duration_us", "Time of running the model.", statistics.computeInfer),
    us("nv_inference_compute_output_duration_us", "Time of taking outputs apart.", statistics.computeOutput),
  ];
};

/** The text of /metrics. */
export const renderMetrics = (known: Known, snapshot: Snapshot | undefined): Promise<string> => {
  const labels = { model: known.options.name, version: known.options.modelVersion };
  const metrics = [...own(known), ...(snapshot === undefined ? [] : load(snapshot))].map((one) =>
    one.name.startsWith("nv_")
      ? { ...one, values: one.values.map((value) => ({ ...value, labels: { ...labels, ...value.labels } })) }
      : one,
  );
  return render(metrics);
};
