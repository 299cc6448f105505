import type { Logger } from "pino";
import type { ObjectKey } from "../kube/objects.ts";

/** What one reconcile asks for. An error thrown instead is retried with backoff; a terminal KubeError is not. */
export type Result = {
  /** Reconcile again after this many milliseconds, even if nothing changes. */
  requeueAfterMs?: number;
};

export type ReconcileContext = {
  log: Logger;
  reconcileID: string;
  /** Ends a reconcile that takes too long: pass it to every call. A stop does not; what has begun is finished. */
  signal: AbortSignal;
};

export type Reconcile = (key: ObjectKey, context: ReconcileContext) => Promise<Result>;
