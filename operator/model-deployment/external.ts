/**
 * `spec.replicas`, which somebody else writes: an HPA, KEDA, a person, or nobody. Its default in the CRD makes "absent" and "1" one
 * value; who owns the field tells them apart. Pure.
 */
import { z } from "zod";
import {
  DEFAULT_REPLICAS,
  isExternal,
  type ModelDeployment,
  minReplicasOf,
  type ScaleStatus,
} from "../api/v1alpha1/index.ts";
import type { Deployment } from "../kube/objects.ts";

/** Pods that serve where no load says how many: what the spec says, or the pods that there are. */
export const fixedReplicas = (modelDeployment: ModelDeployment, deployments: Deployment[]): number => {
  if (!isExternal(modelDeployment.spec)) return minReplicasOf(modelDeployment.spec);
  return isSet(modelDeployment) ? numberOf(modelDeployment) : podsThere(modelDeployment, deployments);
};

/** What the status says of it. */
export const externalStatus = (
  modelDeployment: ModelDeployment,
  deployments: Deployment[],
): Pick<ScaleStatus, "external" | "ignored" | "message"> => {
  const number = numberOf(modelDeployment);
  const isLeft = number !== DEFAULT_REPLICAS || writerOf(modelDeployment) === "scale";
  const ignored = isLeft ? { ignored: number } : {};
  if (!isExternal(modelDeployment.spec)) {
    const message =
      "spec.replicas has no effect with scaling.mode internal; scaling.minReplicas says how many pods serve";
    return isLeft ? { ...ignored, message } : {};
  }
  const replicas = fixedReplicas(modelDeployment, deployments);
  if (isSet(modelDeployment)) return { external: { replicas, from: "spec" } };
  const message = "the pods that there were stay: nobody has set spec.replicas since scaling.mode is external";
  return { external: { replicas, from: "pods" }, ...ignored, message };
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
    case "scale":
      return counted || number !== ignored;
    case "nobody":
      return number !== DEFAULT_REPLICAS && number !== ignored;
  }
};

type Writer = "manifest" | "object" | "scale" | "nobody";

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
  return owners.length > 0 ? "scale" : "nobody";
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
