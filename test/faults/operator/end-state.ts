/** What is left when all is done, so that two runs can be compared: every object of ours, without what no two runs share. */
import { MODEL_DEPLOYMENTS } from "../../../operator/api/v1alpha1/index.ts";
import type { KubeObject, Resource } from "../../../operator/platform/kube/objects.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  SERVICES,
} from "../../../operator/platform/kube/resources.ts";
import type { Arena } from "./arena.ts";
import type { Write } from "./proxy.ts";

/** The ModelDeployment, and the kinds of what the operator makes of it. */
export const OURS: readonly Resource<KubeObject>[] = [
  MODEL_DEPLOYMENTS,
  DEPLOYMENTS,
  SERVICES,
  CONTROLLER_REVISIONS,
  CONFIG_MAPS,
  POD_DISRUPTION_BUDGETS,
  NETWORK_POLICIES,
];

/** Times, identities and addresses, and a hash with the namespace in it; and how often an object was written, which a repeated write may change. */
const MASKED = new Set([
  ...["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "observedGeneration"],
  ...["lastTransitionTime", "lastUpdateTime", "clusterIP", "clusterIPs", "berth.dev/switched-at", "berth.dev/applied"],
]);
/** Counts of Kubernetes' own controller, which come when it gets to them. */
const LAGGING = /^PodDisruptionBudget\/[^.]*\.status\./;
/** Not ours. */
const OTHERS = new Set(["kube-root-ca.crt", "models-ca"]);

/** Lines `Kind/name path = value`, in order. */
export const endState = async (arena: Arena): Promise<string[]> => {
  const lines: string[] = [];
  for (const resource of OURS) {
    for (const object of await arena.list(resource)) {
      if (!OTHERS.has(object.metadata.name)) {
        flatten(`${resource.kind}/${object.metadata.name}`, object, arena.namespace, lines);
      }
    }
  }
  lines.push(`pods = ${(await arena.list(PODS)).length}`);
  return lines.filter((line) => !LAGGING.test(line)).sort();
};

const flatten = (path: string, value: unknown, namespace: string, lines: string[]): void => {
  if (typeof value !== "object" || value === null) {
    lines.push(`${path} = ${String(value).replaceAll(namespace, "NAMESPACE")}`);
    return;
  }
  // Conditions of a Deployment keep the order in which they came.
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((item, i) => [keyOf(item) ?? String(i), item])
    : Object.entries(value).filter(([key]) => !MASKED.has(key));
  for (const [key, inner] of entries) flatten(`${path}.${key}`, inner, namespace, lines);
};

const keyOf = (item: unknown): string | undefined => {
  if (typeof item !== "object" || item === null) return undefined;
  if ("type" in item) return String(item.type);
  return "name" in item ? String(item.name) : undefined;
};

/** What one run has that the other has not; empty where they are alike. */
export const difference = (wanted: readonly string[], got: readonly string[]): string[] => [
  ...wanted.filter((line) => !got.includes(line)).map((line) => `missing  ${line}`),
  ...got.filter((line) => !wanted.includes(line)).map((line) => `too much ${line}`),
];

/** How often each object was created and deleted with success. Applies may be repeated: they change nothing. */
export const countOnce = (writes: readonly Write[]): string[] => {
  const counts = new Map<string, number>();
  for (const { what, status } of writes) {
    if (status < 300 && !what.startsWith("apply ")) counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${what} × ${count}`).sort();
};
