/**
 * Whether pods take connections, by protocol: one may be down while the other is up. Who has not taken one is left alone for a while,
 * and is then tried by a single request; a revision none of whose pods has is tried by one request at a time, whoever waits. Pure.
 */
import type { Protocol } from "./message.ts";

/** `failures` in a row; nobody tries before `until` (ms); one that tries is `probing`. */
export type Reach = { failures: number; until: number; probing: boolean };
export type Reaches = Record<Protocol, Reach>;

/** Twice as long after each failure: a pod that is gone is out of the endpoints soon, and one that was restarted is back. */
const POD = { first: 1000, most: 5000 };
/** Nobody else can answer, and requests wait. */
const REVISION = { first: 200, most: 1000 };

export const createReaches = (): Reaches => ({ http: createReach(), grpc: createReach() });
const createReach = (): Reach => ({ failures: 0, until: 0, probing: false });

export type Reachable = { isReady: boolean; reach: Reaches };

/** None of the pods that should answer takes a connection. */
export const isDown = (pods: readonly Reachable[], protocol: Protocol): boolean => {
  let some = false;
  for (const { isReady, reach } of pods) {
    if (!isReady) continue;
    if (reach[protocol].failures === 0) return false;
    some = true;
  }
  return some;
};

/** Whether a request may be sent there now. `down`: of the revision; undefined while one of its pods is up. */
export const mayTry = (pod: Reach, down: Reach | undefined, now: number): boolean => {
  if (pod.failures === 0) return true;
  if (down !== undefined) return !down.probing && down.until <= now;
  return !pod.probing && pod.until <= now;
};

/** @param isDownNow asked once the pod is counted as one that takes no connection */
export const missed = (pod: Reach, revision: Reach, isDownNow: () => boolean, now: number): void => {
  pod.failures++;
  pod.until = now + backOff(POD, pod.failures);
  if (!isDownNow()) return;
  revision.failures++;
  revision.until = now + backOff(REVISION, revision.failures);
};

export const reached = (pod: Reach, revision: Reach): void => {
  pod.failures = revision.failures = 0;
  pod.until = revision.until = 0;
};

const backOff = ({ first, most }: { first: number; most: number }, failures: number): number =>
  Math.min(most, first * 2 ** Math.min(failures - 1, 10));
