import type { Shard } from "../shards/types.ts";

export type Worker = { shard: Shard; busyUntil: number; busy: boolean; removed: boolean };

/** The shards, and which of them are free. */
export type Workers = {
  readonly all: Set<Worker>;
  /** The one that was busy last is taken first: its caches are warm, and the others may sleep. */
  readonly free: Worker[];
  /** When the next shard is expected; undefined: none is. */
  expectedAt: number | undefined;
};

export const newWorkers = (): Workers => ({ all: new Set(), free: [], expectedAt: undefined });

export const addWorker = (workers: Workers, shard: Shard): void => {
  const worker: Worker = { shard, busy: false, busyUntil: 0, removed: false };
  workers.all.add(worker);
  workers.free.push(worker);
};

export const removeWorker = (workers: Workers, shard: Shard): void => {
  for (const worker of workers.all) {
    if (worker.shard !== shard) continue;
    worker.removed = true;
    workers.all.delete(worker);
    const at = workers.free.indexOf(worker);
    if (at >= 0) workers.free.splice(at, 1);
    return;
  }
};

/** It is busy until `until`, for all that is known. */
export const occupy = (worker: Worker, until: number): void => {
  worker.busy = true;
  worker.busyUntil = until;
};

export const release = (workers: Workers, worker: Worker): void => {
  worker.busy = false;
  if (!worker.removed) workers.free.push(worker);
};

/** Its process is gone; a new one is expected at `expectedAt`. */
export const lose = (workers: Workers, worker: Worker, expectedAt: number): void => {
  worker.busy = false;
  worker.removed = true;
  workers.all.delete(worker);
  workers.expectedAt = Math.max(workers.expectedAt ?? 0, expectedAt);
};

/** When the first busy one is expected to be free; Infinity where none is busy. */
export const soonestFree = (workers: Workers): number => {
  let soonest = Number.POSITIVE_INFINITY;
  for (const worker of workers.all) if (worker.busy) soonest = Math.min(soonest, worker.busyUntil);
  return soonest;
};
