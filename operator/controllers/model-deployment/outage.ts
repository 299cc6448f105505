/** Whether the stable revision answers nobody, so that a candidate that does may take over. Pure. */
import { findCondition } from "../../api/v1alpha1/index.ts";
import { readyOf, wantedOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** A pod that is replaced, or a node that is rebooted, is back within this. */
const RESCUE_MS = 120_000;
/** As long, in intervals of the evidence (10 s). */
export const SILENT_INTERVALS = 12;

/**
 * When (ms since 1970) it counts as broken, if none of its pods becomes ready before; undefined where one is, or none is wanted. By
 * the condition in the status, which outlives a leader.
 */
export const brokenAt = (observed: Observed, stable: Revision | undefined): number | undefined => {
  if (stable === undefined || wantedOf(observed, stable) === 0 || readyOf(observed, stable) > 0) return undefined;
  const available = findCondition(observed.modelDeployment.status?.conditions, "Available");
  if (available?.status !== "False") return undefined;
  const since = Date.parse(available.lastTransitionTime);
  return Number.isNaN(since) ? undefined : since + RESCUE_MS;
};
