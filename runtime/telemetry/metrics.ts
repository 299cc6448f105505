import { Counter, Gauge, Histogram, Registry } from "prom-client";

// 1 ms to about 16 s, each bound the double of the one before
const SECONDS = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);

/** What a shard counts. The supervisor asks for it when it is scraped; nothing of it is kept across a restart. */
export const createShardMetrics = () => {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: "berth_requests_total",
      help: "Requests to the model's infer path that were answered, by HTTP status code.",
      labelNames: ["code"],
      registers,
    }),
    requestSeconds: new Histogram({
      name: "berth_request_duration_seconds",
      help: "Time from the end of the request's header to the end of the answer, infer path only.",
      buckets: SECONDS,
      registers,
    }),
    inferenceSeconds: new Histogram({
      name: "berth_inference_duration_seconds",
      help: "Time that the model ran for one request.",
      buckets: SECONDS,
      registers,
    }),
    inFlight: new Gauge({ name: "berth_inflight_requests", help: "Requests that are not answered yet.", registers }),
  };
};
export type ShardMetrics = ReturnType<typeof createShardMetrics>;

/** What the supervisor itself knows. */
export const createSupervisorMetrics = (model: { name: string; version: string }) => {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: "berth_model_info",
    help: "The model that is served.",
    labelNames: ["name", "version"],
    registers,
  }).set(model, 1);
  return {
    registry,
    restarts: new Counter({
      name: "berth_shard_restarts_total",
      help: "Shards that ended and were started again.",
      registers,
    }),
    loadSeconds: new Gauge({
      name: "berth_model_load_seconds",
      help: "Time of the last load of the model.",
      registers,
    }),
    ready: new Gauge({ name: "berth_ready", help: "1 while requests are wanted.", registers }),
  };
};
