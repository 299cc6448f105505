/** How many namespaces' routers are replaced at one time, after an upgrade or with other settings. Pure, but for what it remembers. */
import type { Deployment } from "../../platform/kube/objects.ts";

/** At least this many namespaces at one time, and else this share of all. */
const LEAST = 2;
const SHARE = 0.05;
/** What was written shows in the caches within this time (ms). */
const SEEN_MS = 5_000;
/** Routers that are not replaced within this time (ms) hold nobody else up: a quota or a missing image is their namespace's own. */
const LONGEST_MS = 120_000;

export type RollPace = {
  /**
   * Whether this namespace's routers may be replaced now; if so, they count from now on.
   * @param isRolling whether those of another namespace are still being replaced
   */
  begins(namespace: string, now: number, namespaces: number, isRolling: (namespace: string) => boolean): boolean;
};

export const createRollPace = (): RollPace => {
  const since = new Map<string, number>();
  return {
    begins(namespace, now, namespaces, isRolling) {
      for (const [other, at] of since) {
        const isOver = now - at >= SEEN_MS && !isRolling(other);
        if (isOver || now - at >= LONGEST_MS || at > now) since.delete(other);
      }
      const most = Math.max(LEAST, Math.ceil(namespaces * SHARE));
      if (!since.has(namespace) && since.size >= most) return false;
      since.set(namespace, now);
      return true;
    },
  };
};

/** Its pods are not yet all as it says. */
export const isRolling = ({ metadata, spec, status }: Deployment): boolean => {
  const replicas = spec?.replicas ?? 1;
  const { availableReplicas = 0, observedGeneration = 0, replicas: all = 0, updatedReplicas = 0 } = status ?? {};
  const isSeen = observedGeneration >= (metadata.generation ?? 1);
  return !isSeen || updatedReplicas < replicas || availableReplicas < replicas || all > updatedReplicas;
};
