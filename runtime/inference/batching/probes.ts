import type { Job, JobResult } from "../shards/types.ts";

type Probe = {
  job: Job;
  expectedMs: number;
  resolve: (result: JobResult) => void;
  reject: (error: unknown) => void;
};

/** The runs that answer no request, of a proof or a check: one at a time, and only where traffic leaves room. */
export type Probes = {
  pending: Probe | undefined;
  isRunning: boolean;
  /** When the next may run although requests wait. */
  dueAt: number;
};

/** The share of one shard's time that proofs may take while requests wait. */
const SHARE = 0.25;
/** The first requests come first: until then a trial runs only while nothing waits. */
const FIRST_MS = 1000;

export const newProbes = (): Probes => ({ pending: undefined, isRunning: false, dueAt: 0 });

export const beginProbes = (probes: Probes, now: number): void => {
  probes.dueAt = now + FIRST_MS;
};

export const queueProbe = (probes: Probes, job: Job, expectedMs: number): Promise<JobResult> => {
  const { promise, resolve, reject } = Promise.withResolvers<JobResult>();
  probes.pending = { job, expectedMs, resolve, reject };
  return promise;
};

/** The one that may run now. */
export const takeProbe = (probes: Probes, queued: number, now: number): Probe | undefined => {
  const { pending } = probes;
  if (pending === undefined || (queued > 0 && now < probes.dueAt)) return undefined;
  probes.pending = undefined;
  probes.isRunning = true;
  return pending;
};

export const probeEnded = (probes: Probes, startedAt: number, now: number): void => {
  probes.isRunning = false;
  probes.dueAt = now + (now - startedAt) * (1 / SHARE - 1);
};
