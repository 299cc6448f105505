/** What is not done as often as it could be. What these know is lost with the process, and nothing comes of that. */
import { isDeepStrictEqual } from "node:util";
import { findCondition, type ModelDeploymentStatus } from "../../api/v1alpha1/index.ts";
import { fullNameOf, type ObjectKey } from "../../platform/kube/objects.ts";

/** A pod that gets its node, becomes ready, and then available, changes the status three times within a second or two: the news takes the rest along. */
const PROGRESS_MS = 2_000;

/** What somebody waits for, or acts on. */
const newsOf = (status: ModelDeploymentStatus | undefined): unknown => [
  status?.observedGeneration,
  status?.phase,
  status?.stable?.revision,
  status?.canary?.revision,
  status?.traffic?.epoch,
  [status?.rollout?.revision, status?.rollout?.phase, status?.rollout?.step, status?.rollout?.rejected?.length],
  [status?.rollout?.capacity?.stable, status?.rollout?.capacity?.canary],
  ...(["Ready", "Stalled", "Available"] as const).map((type) => {
    const condition = findCondition(status?.conditions, type);
    return [condition?.status, condition?.reason];
  }),
];

export type Pace = {
  /** Milliseconds until `after` may be written over `before`: 0 for now, undefined if they are the same. */
  wait(
    key: ObjectKey,
    before: ModelDeploymentStatus | undefined,
    after: ModelDeploymentStatus,
    now: number,
  ): number | undefined;
  wrote(key: ObjectKey, now: number): void;
  forget(key: ObjectKey): void;
};

/** How soon a new status is written: what somebody waits for at once, mere progress every two seconds. */
export const createPace = (): Pace => {
  const written = new Map<string, number>();
  return {
    wait(key, before, after, now) {
      if (isDeepStrictEqual(before, after)) return undefined;
      if (!isDeepStrictEqual(newsOf(before), newsOf(after))) return 0;
      return Math.max(0, (written.get(fullNameOf(key)) ?? 0) + PROGRESS_MS - now);
    },
    wrote: (key, now) => void written.set(fullNameOf(key), now),
    forget: (key) => void written.delete(fullNameOf(key)),
  };
};
