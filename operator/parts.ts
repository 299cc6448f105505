/** What the controllers are made of. */
import type { Logger } from "pino";
import type { ApiServer } from "./api-server.ts";
import type { Obstacle } from "./apply/obstacle.ts";
import type { Config } from "./config.ts";
import type { Beside } from "./neighbours.ts";
import type { Caches } from "./platform/cache/caches.ts";
import type { EventSender } from "./platform/controller/events.ts";
import type { Metrics } from "./platform/telemetry/metrics.ts";
import type { Stores } from "./stores.ts";
import type { Writes } from "./writes.ts";

export type Parts = {
  config: Config;
  log: Logger;
  metrics: Metrics;
  api: ApiServer;
  caches: Caches;
  stores: Stores;
  writes: Writes;
  events: EventSender;
  /** Other releases of Berth, which have ModelDeployments of their own. */
  beside: Beside;
  /** By namespace, what is in the way of its routers. */
  routerObstacles: Map<string, readonly Obstacle[]>;
};

/** Milliseconds, never going back. */
export const monotonic = (): number => performance.now();
