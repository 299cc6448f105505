/**
 * `spec.replicas`, which somebody else writes: an HPA, KEDA, a person, or nobody. Its default in the CRD makes "absent" and "1" one
 * value; who owns the field tells them apart. Pure.
 */
import { z } from "zod";
import { DEFAULT_REPLICAS, isExternal, type ModelDeployment, type ScaleStatus } from "../../api/v1alpha1/index.ts";
import type { Deployment } from "../../platform/kube/objects.ts";

/** The pods that there are to be, and who says so: somebody by `spec.replicas`, or nobody, so that those that there are stay. */
export type External = {
  replicas: number;
  from: "spec" | "pods";
  /** Milliseconds since 1970: until then an HPA that has just begun takes no pod away. */
  until?: number;
};

/** Undefined with `scaling.mode: internal`. */
export const externalOf = (
  modelDeployment: ModelDeployment,
  deployments: Deployment[],
  now: number,
): External | undefined => {
  if (!isExternal(modelDeployment.spec)) return undefined;
  const there = podsThere(modelDeployment, deployments);
  if (!isSet(modelDeployment)) return { replicas: there, from: "pods" };
  const number = numberOf(modelDeployment);
  const until = number < there ? rampUntil(modelDeployment, now) : undefined;
  return until === undefined || until <= now
    ? { replicas: number, from: "spec" }
    : { replicas: there, from: "pods", until };
};

/**
 * An HPA reads the default, 1, as the pods that there are: it begins at its own least number, and rises from there in steps. For as long as it
 * waits itself before it takes pods away, its number takes none.
 */
const RAMP_MS = 300_000;

/** Undefined where no HPA has just begun. */
const rampUntil = (modelDeployment: ModelDeployment, now: number): number | undefined => {
  const { scale } = modelDeployment.status ?? {};
  const isNew = scale !== undefined && scale.external?.from !== "spec";
  if (writerOf(modelDeployment) !== "autoscaler" || !isNew) return undefined;
  return Date.parse(scale.external?.until ?? "") || now + RAMP_MS;
};

/** What the status says of it. */
export const externalStatus = (
  modelDeployment: ModelDeployment,
  external: External | undefined,
): Pick<ScaleStatus, "external" | "ignored" | "message"> => {
  const number = numberOf(modelDeployment);
  const isLeft = number !== DEFAULT_REPLICAS || isScaledBy(writerOf(modelDeployment));
  const ignored = isLeft ? { ignored: number } : {};
  if (external === undefined) {
    const message = "spec.replicas has no effect with spec.scaling.mode internal; set spec.scaling.minReplicas instead";
    return isLeft ? { ...ignored, message } : {};
  }
  const { until, ...rest } = external;
  if (external.from === "spec") return { external: rest };
  if (until === undefined) {
    const message =
      "the number of pods does not change: nobody has set spec.replicas since spec.scaling.mode became external";
    return { external: rest, ...ignored, message };
  }
  const time = new Date(until).toISOString();
  const message = `the number of pods does not fall before ${time.slice(11, 19)} UTC, so that the HPA can settle`;
  return { external: { ...rest, until: time }, message };
};

const numberOf = ({ spec }: ModelDeployment): number => spec.replicas ?? DEFAULT_REPLICAS;

/**
 * Somebody means the number for `mode: external`: it is in what they apply, they have set it as a field of the object, or it has
 * changed since it was ignored. From then on it counts, until nobody owns it any more.
 */
const isSet = (modelDeployment: ModelDeployment): boolean => {
  const number = numberOf(modelDeployment);
  const { external, ignored } = modelDeployment.status?.scale ?? {};
  const counted = external?.from === "spec";
  switch (writerOf(modelDeployment)) {
    case "manifest":
      return true;
    case "object":
      return counted || number !== DEFAULT_REPLICAS;
    case "autoscaler":
    case "scale":
      return counted || number !== ignored;
    case "nobody":
      return number !== DEFAULT_REPLICAS && number !== ignored;
  }
};

type Writer = "manifest" | "object" | "scale" | "autoscaler" | "nobody";

const isScaledBy = (writer: Writer): boolean => writer === "scale" || writer === "autoscaler";

/** In which HPAs run, those of KEDA, too. */
const AUTOSCALER = "kube-controller-manager";

/** Of `kubectl apply` without `--server-side`: it owns the default as well, so its annotation says what was meant. */
const CLIENT_SIDE_APPLY = "kubectl-client-side-apply";
const LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration";

/** `object`: an Update; the one that made the object owns the default, too. */
const writerOf = (modelDeployment: ModelDeployment): Writer => {
  const { managedFields = [] } = modelDeployment.metadata;
  if (lastApplied(modelDeployment) === numberOf(modelDeployment)) return "manifest";
  const owners = managedFields.filter(({ manager }) => manager !== CLIENT_SIDE_APPLY);
  if (owners.some(({ operation, subresource }) => operation === "Apply" && subresource !== "scale")) return "manifest";
  if (owners.some(({ subresource }) => subresource !== "scale")) return "object";
  if (owners.length === 0) return "nobody";
  return owners.every(({ manager }) => manager === AUTOSCALER) ? "autoscaler" : "scale";
};

const appliedSchema = z.object({ spec: z.object({ replicas: z.number().optional() }) });

const lastApplied = ({ metadata }: ModelDeployment): number | undefined => {
  try {
    const applied = JSON.parse(metadata.annotations?.[LAST_APPLIED_ANNOTATION] ?? "null");
    return appliedSchema.safeParse(applied).data?.spec.replicas;
  } catch {
    return undefined;
  }
};

/** Those of both revisions. At least one: nothing would wake a ModelDeployment that sleeps when it is handed over. */
const podsThere = ({ status }: ModelDeployment, deployments: Deployment[]): number => {
  const { external, wanted } = status?.scale ?? {};
  const counts = deployments.map(({ spec }) => spec?.replicas ?? 0);
  const isShared = status?.rollout?.capacity?.plan === "handover";
  const there = isShared ? counts.reduce((sum, count) => sum + count, 0) : Math.max(0, ...counts);
  return Math.max(1, external?.replicas ?? wanted ?? there);
};
