/** Which revision is wanted, which serves, and which are on their way out. Pure. */
import {
  capacityFault,
  coresFault,
  DEFAULT_MAX_WAIT,
  type ModelDeploymentSpec,
  parseDuration,
  progressDeadlineOf,
  specSchema,
} from "../../api/v1alpha1/index.ts";
import { rolloutSettings } from "../../domain/rollout/settings.ts";
import { scalingSettings } from "../../domain/scaling/settings.ts";
import { byIdentity } from "../../platform/cache/by-identity.ts";
import type { RenderSettings } from "./children/pod-template.ts";
import { deploymentOf, isServing, readyOf, stableByStatus } from "./findings.ts";
import type { Observed } from "./observed.ts";
import { pinOf } from "./pin.ts";
import { rejectedBefore } from "./rejections.ts";
import { canonical, type Revision, revisionSpecOf } from "./revision.ts";
import type { Refusal, Roles } from "./revision-roles.ts";
import { restorableIn } from "./unrecorded.ts";
import { wantedRevision } from "./wanted-revision.ts";

export const rolesOf = (observed: Observed, settings: RenderSettings): Roles => {
  const { revisions } = observed;
  const refusal = refuse(observed, settings);
  const stable = stableOf(observed);
  const wanted = refusal === undefined ? wantedRevision(observed, settings, stable) : undefined;
  const target = wanted?.revision;
  const message =
    stable === undefined || wanted === undefined ? undefined : rejectedBefore(observed, wanted.revision, wanted.same);
  const isRejected = message !== undefined && target?.name !== stable?.name;
  const recorded = isRejected ? undefined : revisions.find(({ name }) => name === target?.name);
  const candidate = recorded === stable ? undefined : recorded;
  return {
    ...(target !== undefined && recorded === undefined && !isRejected ? { unrecorded: target } : {}),
    ...(isRejected && target !== undefined ? { rejected: { name: target.name, message } } : {}),
    ...(stable === undefined ? {} : { stable }),
    ...(candidate === undefined ? {} : { candidate }),
    restorable: restorableIn(observed, stable, settings),
    superseded: revisions.filter((revision) => revision !== stable && revision !== candidate),
    ...(refusal === undefined ? {} : { refusal }),
  };
};

/**
 * Status is the authority; without it (a restore), the latest promotion that is written on a ControllerRevision. One that has lost its
 * ControllerRevision may have been promoted later: it counts if clients are sent to it, or if nothing else that was promoted has pods.
 */
const stableOf = (observed: Observed): Revision | undefined => {
  const byStatus = stableByStatus(observed);
  if (byStatus !== undefined) return byStatus;
  const unrecorded = observed.revisions.filter((revision) => revision.isUnrecorded);
  const reached = unrecorded.find((revision) => isServing(observed, revision));
  if (reached !== undefined) return reached;
  const promoted = observed.revisions.filter((revision) => revision.promoted !== undefined);
  // of a record and its copy, the one that runs
  const runs = (one: Revision): number => (deploymentOf(observed, one) === undefined ? 0 : 1);
  const latest = promoted.toSorted(
    (one, other) => (other.promoted ?? 0) - (one.promoted ?? 0) || runs(other) - runs(one),
  )[0];
  if (latest !== undefined && deploymentOf(observed, latest) !== undefined) return latest;
  const hasProved = (one: Revision): boolean => readyOf(observed, one) > 0 || pinOf(observed, one) !== undefined;
  const proved = unrecorded.filter(hasProved);
  // a canary is younger than stable
  const byAge = proved.toSorted((one, other) => madeAt(observed, one) - madeAt(observed, other));
  return byAge.find((one) => readyOf(observed, one) > 0) ?? byAge[0] ?? latest;
};

const madeAt = (observed: Observed, revision: Revision): number =>
  Date.parse(deploymentOf(observed, revision)?.metadata.creationTimestamp ?? "") || 0;

const refuse = ({ modelDeployment }: Observed, { allowHttpModels }: RenderSettings): Refusal | undefined => {
  const problem = invalidity(modelDeployment.spec);
  if (problem !== undefined) return { reason: "InvalidSpec", message: problem };
  if (!allowHttpModels && modelDeployment.spec.model.uri.startsWith("http://")) {
    return {
      reason: "HttpNotAllowed",
      message:
        "spec.model.uri: this operator does not allow http://; use https://, or start it with --allow-http-models",
    };
  }
  return undefined;
};

/** Why nothing follows from it: the API server has checked the spec against its CRD, which may be older or newer than this operator. */
export const invalidity = byIdentity((spec: ModelDeploymentSpec): string | undefined => {
  const { success, error } = specSchema.safeParse(spec);
  if (!success) {
    const first = error.issues[0];
    return `${["spec", ...(first?.path ?? [])].join(".")}: ${first?.message}; install the CRD of this operator's version`;
  }
  const fault = coresFault(spec) ?? capacityFault(spec.rollout);
  if (fault !== undefined) return fault;
  try {
    canonical(revisionSpecOf(spec));
    rolloutSettings(spec);
    scalingSettings(spec);
    parseDuration(progressDeadlineOf(spec));
    parseDuration(spec.traffic?.queue?.maxWait ?? DEFAULT_MAX_WAIT);
    return undefined;
  } catch (error) {
    return `spec: ${error instanceof Error ? error.message : String(error)}`;
  }
});
