/** Where the pods of a revision may run: what spec.scheduling says, and what its devices imply. */
import {
  parseQuantity,
  QUEUE_LABEL,
  revisionLabels,
  sharingOf,
  type Toleration,
  tolerationsOf,
  topologySpreadOf,
} from "../../../api/v1alpha1/index.ts";
import type { PodTemplate } from "../../../platform/kube/objects.ts";
import type { RevisionSpec } from "../revision-spec.ts";

type PodSpec = NonNullable<PodTemplate["spec"]>;
type Scheduling = Pick<
  PodSpec,
  | "affinity"
  | "nodeSelector"
  | "priorityClassName"
  | "resourceClaims"
  | "runtimeClassName"
  | "tolerations"
  | "topologySpreadConstraints"
>;
type NodeAffinity = NonNullable<NonNullable<PodSpec["affinity"]>["nodeAffinity"]>;

const MEBIBYTE = 2n ** 20n * 10n ** 9n;

/** Only what is asked for: without a word in the spec the scheduler's own defaults hold. */
export const podScheduling = (modelDeployment: string, revision: string, spec: RevisionSpec): Scheduling => {
  const { nodeSelector = {}, priorityClassName, runtimeClassName } = spec.scheduling ?? {};
  const affinity = nodeAffinity(spec);
  const tolerations = [...deviceTolerations(spec), ...tolerationsOf(spec)];
  const labelSelector = { matchLabels: revisionLabels(modelDeployment, revision) };
  const spread = topologySpreadOf(spec).map((one) => ({ ...one, labelSelector }));
  const claims = resourceClaims(spec);
  return {
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
    ...(affinity === undefined ? {} : { affinity: { nodeAffinity: affinity } }),
    ...(tolerations.length === 0 ? {} : { tolerations }),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
    ...(spread.length === 0 ? {} : { topologySpreadConstraints: spread }),
    ...(claims.length === 0 ? {} : { resourceClaims: claims }),
  };
};

/** On the pods and on their Deployment: which of the two Kueue reads depends on what it was set up to manage. */
export const queueLabels = ({ scheduling }: RevisionSpec): Record<string, string> =>
  scheduling?.queueName === undefined ? {} : { [QUEUE_LABEL]: scheduling.queueName };

/** By the labels of NVIDIA's feature discovery; `nvidia.com/gpu.memory` is in MiB, and `Gt` has no "or equal". */
const nodeAffinity = (spec: RevisionSpec): NodeAffinity | undefined => {
  const { memory: leastMemory, products } = spec.accelerator ?? {};
  const memory = leastMemory === undefined ? undefined : parseQuantity(leastMemory);
  const expressions = [
    ...(products ? [{ key: "nvidia.com/gpu.product", operator: "In", values: products.toSorted() }] : []),
    ...(memory === undefined
      ? []
      : [{ key: "nvidia.com/gpu.memory", operator: "Gt", values: [String((memory + MEBIBYTE - 1n) / MEBIBYTE - 1n)] }]),
    ...sharingExpressions(spec),
  ];
  if (expressions.length === 0) return undefined;
  return {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: expressions }] },
  };
};

/** A shared device has the same resource as a whole one. Nodes without the label share nothing. */
const sharingExpressions = (spec: RevisionSpec) => {
  const key = "nvidia.com/gpu.sharing-strategy";
  switch (sharingOf(spec)) {
    case "exclusive":
      return [{ key, operator: "NotIn", values: ["mps", "time-slicing"] }];
    case "timeSlicing":
      return [{ key, operator: "In", values: ["time-slicing"] }];
    case "mps":
      return [{ key, operator: "In", values: ["mps"] }];
    case undefined:
      return [];
  }
};

/** Nodes with NVIDIA devices are often tainted, so that nothing else runs there. */
const deviceTolerations = ({ accelerator }: RevisionSpec): Toleration[] =>
  accelerator?.vendor === "nvidia" ? [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }] : [];

const resourceClaims = ({ accelerator }: RevisionSpec): NonNullable<PodSpec["resourceClaims"]> =>
  (accelerator?.claims ?? []).map(({ name, resourceClaimName, resourceClaimTemplateName }) => ({
    name,
    ...(resourceClaimName === undefined ? {} : { resourceClaimName }),
    ...(resourceClaimTemplateName === undefined ? {} : { resourceClaimTemplateName }),
  }));
