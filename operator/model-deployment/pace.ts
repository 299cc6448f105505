/** What is not done as often as it could be. What these know is lost with the process, and nothing comes of that. */
import { isDeepStrictEqual } from "node:util";
import { findCondition, type ModelDeploymentStatus } from "../api/v1alpha1/index.ts";
import type { Action } from "../apply/actions.ts";
import type { ObjectKey } from "../kube/objects.ts";

/** A pod that gets its node, is ready, and then available, is news three times within a second or two. */
const PROGRESS_MS = 1_000;

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

/** How soon a new status is written: what somebody waits for at once, mere progress once a second. */
export const createPace = (): Pace => {
  const written = new Map<string, number>();
  return {
    wait(key, before, after, now) {
      if (isDeepStrictEqual(before, after)) return undefined;
      if (!isDeepStrictEqual(newsOf(before), newsOf(after))) return 0;
      return Math.max(0, (written.get(nameOf(key)) ?? 0) + PROGRESS_MS - now);
    },
    wrote: (key, now) => void written.set(nameOf(key), now),
    forget: (key) => void written.delete(nameOf(key)),
  };
};

const nameOf = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;

/**
 * Each restored pod template replaces the pods: a controller that puts its field back every time may not make us do that for
 * ever. One minute after the first, then two, four, eight, ten, ten, …
 */
const RESTORE_MS = 60_000;
const MOST_RESTORE_MS = 600_000;

type Restore = Extract<Action, { verb: "restore" }>;

export type RestorePace = {
  /** The actions without restores that would come too soon, or change nothing again; and when to look again for their sake. */
  due(key: ObjectKey, actions: readonly Action[], now: number): { due: Action[]; againAfterMs?: number };
  /** The actions were carried out. */
  done(key: ObjectKey, actions: readonly Action[], now: number): void;
  forget(key: ObjectKey): void;
};

const isRestore = (action: Action): action is Restore => action.verb === "restore";

export const createRestorePace = (): RestorePace => {
  const restored = new Map<string, { at: number; times: number; generations: Map<string, number> }>();
  return {
    due(key, actions, now) {
      const last = restored.get(nameOf(key));
      // Who owns a field that is as it should be (a backup that was restored) owns it still: the spec did not change by it.
      const isVain = ({ object, generation }: Restore) => last?.generations.get(object.metadata.uid) === generation;
      const useful = actions.filter((action) => !isRestore(action) || !isVain(action));
      if (last === undefined || !useful.some(isRestore)) return { due: useful };
      const wait = last.at + Math.min(RESTORE_MS * 2 ** (last.times - 1), MOST_RESTORE_MS) - now;
      if (wait <= 0) return { due: useful };
      return { due: useful.filter((action) => !isRestore(action)), againAfterMs: wait };
    },
    done(key, actions, now) {
      const restores = actions.filter(isRestore);
      if (restores.length === 0) return;
      const { at, times } = restored.get(nameOf(key)) ?? { at: Number.NEGATIVE_INFINITY, times: 0 };
      const generations = new Map(restores.map(({ object, generation }) => [object.metadata.uid, generation]));
      restored.set(nameOf(key), { at: now, times: now - at > 2 * MOST_RESTORE_MS ? 1 : times + 1, generations });
    },
    forget: (key) => void restored.delete(nameOf(key)),
  };
};
