/** What a revision's pods say of themselves: who serves, who starts, and how long a start has taken. Pure. */
import { FETCH_CONTAINER, REVISION_LABEL, SERVER_CONTAINER } from "../../api/v1alpha1/index.ts";
import type { Phases } from "../../domain/scaling/scale.ts";
import type { Pod } from "../../platform/kube/objects.ts";

/** Seconds. `starting`: for how long each has been. */
export type PodCount = { ready: number; starting: number[]; addresses: string[] };

/** A pod that became ready so long after it had its node was ready before, and has been unready since. Seconds. */
const LONGEST_START = 3600;

export const countPods = (pods: readonly Pod[], revision: string, now: number): PodCount => {
  const count: PodCount = { ready: 0, starting: [], addresses: [] };
  for (const { metadata, status } of pods) {
    const isOver = status?.phase === "Failed" || status?.phase === "Succeeded";
    if (metadata.labels?.[REVISION_LABEL] !== revision || metadata.deletionTimestamp !== undefined || isOver) continue;
    const placed = conditionTime(status, "PodScheduled");
    if (conditionTime(status, "Ready") !== undefined) {
      count.ready++;
      if (status?.podIP !== undefined) count.addresses.push(status.podIP);
    } else if (placed !== undefined) count.starting.push(Math.max(0, now - placed));
  }
  return count;
};

/** From its node to ready, in seconds; undefined where that is not known. */
export const startOf = ({ status }: Pod): number | undefined => {
  const placed = conditionTime(status, "PodScheduled");
  const ready = conditionTime(status, "Ready");
  if (placed === undefined || ready === undefined || ready - placed > LONGEST_START) return undefined;
  return Math.max(0, ready - placed);
};

export const phasesOf = ({ metadata, status }: Pod): Phases => {
  const created = timeOf(metadata.creationTimestamp);
  const placed = conditionTime(status, "PodScheduled");
  const fetch = status?.initContainerStatuses?.find(({ name }) => name === FETCH_CONTAINER)?.state?.terminated;
  const [fetchBegan, fetched] = [timeOf(fetch?.startedAt), timeOf(fetch?.finishedAt)];
  const server = status?.containerStatuses?.find(({ name }) => name === SERVER_CONTAINER)?.state?.running;
  const began = timeOf(server?.startedAt);
  const ready = conditionTime(status, "Ready");
  const between = (from: number | undefined, to: number | undefined): number | undefined =>
    from === undefined || to === undefined ? undefined : Math.max(0, to - from);
  const all = {
    schedule: between(created, placed),
    pull: between(placed, fetchBegan),
    fetch: between(fetchBegan, fetched),
    load: between(began, ready),
  };
  return Object.fromEntries(Object.entries(all).filter(([, seconds]) => seconds !== undefined));
};

const conditionTime = (status: Pod["status"], wanted: string): number | undefined =>
  timeOf(status?.conditions?.find(({ status: is, type }) => type === wanted && is === "True")?.lastTransitionTime);

const timeOf = (at: Date | string | undefined): number | undefined => {
  const ms = at === undefined ? Number.NaN : new Date(at).getTime();
  return Number.isNaN(ms) ? undefined : ms / 1000;
};
