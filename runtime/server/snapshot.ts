import type { SchedulerSnapshot } from "../inference/batching/index.ts";
import type { ModelStatistics } from "../inference/index.ts";
import type { GrpcSnapshot } from "../transport/grpc/server.ts";
import type { HttpSnapshot } from "../transport/http/counters.ts";

/** What the door knows, taken when somebody asks. Plain data: it is sent from thread to thread. */
export type Snapshot = {
  http: HttpSnapshot;
  grpc: GrpcSnapshot;
  scheduler: SchedulerSnapshot;
  statistics: ModelStatistics;
  /** Bytes of what waits: held now, and at most. */
  memory: { used: number; most: number };
  /** What the door's event loop did at most without a look at anything else, of late. */
  longestTurnMs: number;
};
