import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from "prom-client";

/** controller-runtime's buckets for a reconcile, in seconds. */
const RECONCILE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** From 1 µs, below which Node's timers tell nothing. */
const QUEUE_SECONDS = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];
const REQUEST_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

export type Metrics = ReturnType<typeof createMetrics>;

/** The operator's metrics, named as controller-runtime and client-go name theirs, so that dashboards for those fit. */
export const createMetrics = (registry: Registry) => {
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const queue = ["name", "controller"] as const;
  const held = new Map<string, () => number[]>();
  const heldGauge = (name: string, help: string, of: (seconds: number[]) => number) =>
    new Gauge({
      ...{ name, help, labelNames: queue, registers },
      collect() {
        for (const [controller, read] of held) {
          this.set({ name: controller, controller }, of(read().map((ms) => ms / 1000)));
        }
      },
    });
  heldGauge("workqueue_unfinished_work_seconds", "Time that the reconciles in progress have taken, added up.", (all) =>
    all.reduce((sum, one) => sum + one, 0),
  );
  heldGauge(
    "workqueue_longest_running_processor_seconds",
    "Time that the longest reconcile in progress has taken.",
    (all) => Math.max(0, ...all),
  );
  return {
    registry,
    reconcile: {
      total: new Counter({
        name: "controller_runtime_reconcile_total",
        help: "Reconciles by result: success, error, requeue (the caches are behind our own writes) or requeue_after.",
        labelNames: ["controller", "result"] as const,
        registers,
      }),
      errors: new Counter({
        name: "controller_runtime_reconcile_errors_total",
        help: "Reconciles that failed.",
        labelNames: ["controller"] as const,
        registers,
      }),
      terminalErrors: new Counter({
        name: "controller_runtime_terminal_reconcile_errors_total",
        help: "Reconciles that failed in a way that trying again cannot help.",
        labelNames: ["controller"] as const,
        registers,
      }),
      panics: new Counter({
        name: "controller_runtime_reconcile_panics_total",
        help: "Reconciles that failed by a fault of this program, and not by an answer of the API server.",
        labelNames: ["controller"] as const,
        registers,
      }),
      timeouts: new Counter({
        name: "controller_runtime_reconcile_timeouts_total",
        help: "Reconciles that were ended because they took too long.",
        labelNames: ["controller"] as const,
        registers,
      }),
      staleSkips: new Counter({
        name: "berth_reconcile_stale_cache_skips_total",
        help: "Reconciles that were put off because the caches had not seen our own last writes.",
        labelNames: ["controller"] as const,
        registers,
      }),
      seconds: new Histogram({
        name: "controller_runtime_reconcile_time_seconds",
        help: "Time of one reconcile.",
        labelNames: ["controller"] as const,
        buckets: RECONCILE_SECONDS,
        registers,
      }),
      maxConcurrent: new Gauge({
        name: "controller_runtime_max_concurrent_reconciles",
        help: "Workers of a controller.",
        labelNames: ["controller"] as const,
        registers,
      }),
      activeWorkers: new Gauge({
        name: "controller_runtime_active_workers",
        help: "Workers of a controller that are reconciling now.",
        labelNames: ["controller"] as const,
        registers,
      }),
    },
    queue: {
      /** `read`: for how long each worker of the controller has held its key, in milliseconds. */
      watchHeld: (controller: string, read: () => number[]): void => void held.set(controller, read),
      depth: new Gauge({
        name: "workqueue_depth",
        help: "Objects that wait in the queue to be reconciled.",
        labelNames: queue,
        registers,
      }),
      adds: new Counter({
        name: "workqueue_adds_total",
        help: "Objects that were added to the queue.",
        labelNames: queue,
        registers,
      }),
      retries: new Counter({
        name: "workqueue_retries_total",
        help: "Objects that were added to the queue again with back-off.",
        labelNames: queue,
        registers,
      }),
      waitSeconds: new Histogram({
        name: "workqueue_queue_duration_seconds",
        help: "Time that an object waits in the queue.",
        labelNames: queue,
        buckets: QUEUE_SECONDS,
        registers,
      }),
      workSeconds: new Histogram({
        name: "workqueue_work_duration_seconds",
        help: "Time that a worker takes for an object.",
        labelNames: queue,
        buckets: QUEUE_SECONDS,
        registers,
      }),
    },
    requests: {
      total: new Counter({
        name: "rest_client_requests_total",
        help: "Requests to the API server by HTTP status; <error> where there was no answer.",
        labelNames: ["code", "method", "host"] as const,
        registers,
      }),
      seconds: new Histogram({
        name: "rest_client_request_duration_seconds",
        help: "Time to the first byte of the API server's answer.",
        labelNames: ["verb", "host"] as const,
        buckets: REQUEST_SECONDS,
        registers,
      }),
    },
    watchFailures: new Counter({
      name: "berth_watch_failures_total",
      help: "Lists and watches that failed, by kind and the API's reason.",
      labelNames: ["kind", "reason"] as const,
      registers,
    }),
    leader: new Gauge({
      name: "leader_election_master_status",
      help: "1 while this process holds the lease, otherwise 0.",
      labelNames: ["name"] as const,
      registers,
    }),
  };
};

/** Counts a request as the transport reports it. */
export const requestObserver =
  ({ requests }: Metrics) =>
  ({ code, method, host, seconds }: { code: string; method: string; host: string; seconds: number }): void => {
    requests.total.inc({ code, method, host });
    requests.seconds.observe({ verb: method, host }, seconds);
  };
