/** The routing table in a ModelDeployment's status. Pure. */
import type { Traffic } from "../../api/v1alpha1/index.ts";

export type Routes = Traffic["routes"];

/**
 * The table with these routes. Its epoch grows with each change, and is never below the seconds since 1970: routers ignore
 * tables that are older than theirs, so that one that is made after the status was lost must not begin at 1 again.
 *
 * @param now milliseconds since 1970
 * @param ahead the epoch of a later table that routers follow, which they do not leave for an older one
 */
export const nextTraffic = (
  before: Traffic | undefined,
  port: number,
  routes: Routes,
  now: number,
  ahead = 0,
): Traffic => {
  const isBehind = before !== undefined && before.epoch < ahead;
  if (before !== undefined && !isBehind && before.port === port && areSame(before.routes, routes)) return before;
  return { epoch: Math.max((before?.epoch ?? 0) + 1, ahead + 1, Math.floor(now / 1000)), port, routes };
};

const areSame = (some: Routes, others: Routes): boolean =>
  some.length === others.length &&
  some.every(({ revision, role, shadow, weight }) =>
    others.some(
      (other) =>
        other.role === role && other.revision === revision && other.weight === weight && other.shadow === shadow,
    ),
  );
