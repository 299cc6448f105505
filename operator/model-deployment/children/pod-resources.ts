/** What a pod asks of the scheduler: devices, resources, and the nodes that will do. */
import { DEFAULT_REQUESTS, devicesOf, parseQuantity } from "../../api/v1alpha1/index.ts";
import type { PodTemplate } from "../../kube/objects.ts";
import type { RevisionSpec } from "../revision.ts";

type PodSpec = NonNullable<PodTemplate["spec"]>;
type Resources = NonNullable<PodSpec["containers"][number]["resources"]>;
type NodeAffinity = NonNullable<NonNullable<PodSpec["affinity"]>["nodeAffinity"]>;

const MEBIBYTE = 2n ** 20n * 10n ** 9n;

/**
 * The init container gets the same as the server, devices apart: the scheduler counts the larger of the
 * two, not their sum, and a quota that demands limits is satisfied by both.
 */
export const resourcesOf = (spec: RevisionSpec, { devices }: { devices: boolean }): Resources => {
  const asText = (list: Record<string, string | number | undefined> | undefined): Record<string, string> =>
    Object.fromEntries(
      Object.entries(list ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    );
  const limits = asText(spec.resources?.limits);
  // A limit without a request is a request already; only what has neither gets our default.
  const defaults = Object.entries(DEFAULT_REQUESTS).filter(([name]) => limits[name] === undefined);
  const requests = { ...Object.fromEntries(defaults), ...asText(spec.resources?.requests) };
  const device = devices ? devicesOf(spec) : undefined;
  const held = device === undefined ? {} : { [device.resource]: String(device.count) };
  const allLimits = { ...limits, ...held };
  return {
    requests: { ...requests, ...held },
    ...(Object.keys(allLimits).length > 0 ? { limits: allLimits } : {}),
  };
};

/** By the labels of NVIDIA's feature discovery; `nvidia.com/gpu.memory` is in MiB, and `Gt` has no "or equal". */
export const nodeAffinity = ({ accelerator }: RevisionSpec): NodeAffinity | undefined => {
  const memory = accelerator?.memory === undefined ? undefined : parseQuantity(accelerator.memory);
  const expressions = [
    ...(accelerator?.products
      ? [{ key: "nvidia.com/gpu.product", operator: "In", values: accelerator.products.toSorted() }]
      : []),
    ...(memory === undefined
      ? []
      : [{ key: "nvidia.com/gpu.memory", operator: "Gt", values: [String((memory + MEBIBYTE - 1n) / MEBIBYTE - 1n)] }]),
  ];
  if (expressions.length === 0) return undefined;
  return {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: expressions }] },
  };
};

/** Nodes with NVIDIA devices are often tainted, so that nothing else runs there. */
export const tolerations = ({ accelerator }: RevisionSpec): NonNullable<PodSpec["tolerations"]> | undefined =>
  accelerator?.vendor === "nvidia" ? [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }] : undefined;
