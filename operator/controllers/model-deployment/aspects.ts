/** Conditions about one side of the newest revision each, for those who wait for just that. Pure. */
import { executionProviderOf, type Mark, MODEL_FAILURES, type Reason } from "../../api/v1alpha1/index.ts";
import type { Cause } from "../../domain/diagnosis/cause.ts";
import { placedOf, readyOf, wantedOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import { pinOf } from "./pin.ts";
import type { Revision } from "./revision.ts";

/** What keeps pods from getting the node and the devices that they want. */
const CAPACITY_REASONS: ReadonlySet<Reason> = new Set([
  "Unschedulable",
  "SchedulingGated",
  "ClaimsUnsupported",
  "PodsRefused",
  "QuotaExceeded",
  "AdmissionDenied",
  "DeviceUnavailable",
]);

/** @param cause what is wrong with `revision`, which is the one that is to serve; both undefined where there is none yet; `shortage`: what is missing for the pods that the load asks for */
export const aspects = (
  observed: Observed,
  revision: Revision | undefined,
  cause: Cause | undefined,
  shortage?: string,
): Mark[] =>
  revision === undefined
    ? []
    : [modelLoaded(observed, revision, cause), capacityAvailable(observed, revision, cause, shortage)];

/** Counts are left out of the messages, so that each pod that moves on is no write of its own. */
const modelLoaded = (observed: Observed, revision: Revision, cause: Cause | undefined): Mark => {
  const type = "ModelLoaded";
  if (readyOf(observed, revision) > 0) {
    const provider = executionProviderOf(revision.spec);
    return {
      type,
      status: "True",
      reason: "Loaded",
      message: `${revision.name} has run a first inference on ${provider}`,
    };
  }
  if (wantedOf(observed, revision) === 0 && pinOf(observed, revision) !== undefined)
    return {
      type,
      status: "True",
      reason: "Loaded",
      message: `${revision.name} loaded the model before, and has no pod now`,
    };
  if (cause !== undefined && MODEL_FAILURES.has(cause.reason)) {
    return { type, status: "False", reason: cause.reason, message: cause.message };
  }
  return {
    type,
    status: "Unknown",
    reason: "Starting",
    message: `no pod of ${revision.name} has loaded the model yet`,
  };
};

const capacityAvailable = (
  observed: Observed,
  revision: Revision,
  cause: Cause | undefined,
  shortage: string | undefined,
): Mark => {
  const type = "CapacityAvailable";
  if (shortage !== undefined) return { type, status: "False", reason: "DevicesTaken", message: shortage };
  if (cause !== undefined && CAPACITY_REASONS.has(cause.reason)) {
    return { type, status: "False", reason: cause.reason, message: cause.message };
  }
  if (placedOf(observed, revision).length >= wantedOf(observed, revision)) {
    return { type, status: "True", reason: "Scheduled", message: `each pod of ${revision.name} has a node` };
  }
  return { type, status: "Unknown", reason: "Starting", message: `pods of ${revision.name} wait for the scheduler` };
};
