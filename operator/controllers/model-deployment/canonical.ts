/**
 * When two specs are the same: when they render the same pods. So the canonical form of a spec is its pod template, under fixed
 * names and settings, in one spelling. A new field counts as soon as it is rendered. Pure.
 */
import { canonicalQuantity } from "../../api/v1alpha1/index.ts";
import { byIdentity } from "../../platform/cache/by-identity.ts";
import { isRecord } from "../../platform/kube/json.ts";
import { podTemplate, type RenderSettings } from "./children/pod-template.ts";
import type { RevisionSpec } from "./revision-spec.ts";

/** Any will do, as long as both sides of a comparison have the same. */
const SETTINGS: RenderSettings = { runtimeImage: "runtime", runtimeImagePullPolicy: "Always", allowHttpModels: true };

/** Lists that are sets. The order of arguments and of variables has a meaning. */
const SETS: ReadonlySet<string> = new Set([
  "claims",
  "imagePullSecrets",
  "matchExpressions",
  "resourceClaims",
  "tolerations",
  "topologySpreadConstraints",
  "values",
  "volumeMounts",
  "volumes",
]);

/** Throws on a spec with a value that no pod can be rendered from. */
export const canonical: (spec: RevisionSpec) => string = byIdentity((spec) =>
  JSON.stringify(inOneSpelling(podTemplate("name", "revision", spec, SETTINGS), "template")),
);

/** With keys in order. Empty lists and maps say what absent ones say, and so does a default of Kubernetes' own. */
const inOneSpelling = (value: unknown, field: string): unknown => {
  if (Array.isArray(value)) return value.length === 0 ? undefined : list(value, field);
  if (!isRecord(value)) return field === "serviceAccountName" && value === "default" ? undefined : value;
  const whole = field === "resources" ? withImpliedRequests(value) : value;
  // without a prototype, in which a key may have a meaning
  const result: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(whole).sort()) {
    const inner = isAmounts(field) ? quantity(whole[key]) : inOneSpelling(whole[key], key);
    if (inner !== undefined) result[key] = inner;
  }
  // an emptyDir is empty, and there
  return Object.keys(result).length === 0 && field !== "emptyDir" ? undefined : result;
};

const list = (items: readonly unknown[], field: string): unknown[] => {
  const spelt = items.map((item) => inOneSpelling(item, field));
  return SETS.has(field) ? [...new Set(spelt.map((item) => JSON.stringify(item)))].sort() : spelt;
};

const isAmounts = (field: string): boolean => field === "requests" || field === "limits";

const quantity = (value: unknown): unknown =>
  typeof value === "string" || typeof value === "number" ? canonicalQuantity(value) : value;

/** The API server takes a limit without a request for both. */
const withImpliedRequests = ({ limits, requests, ...rest }: Record<string, unknown>): Record<string, unknown> => ({
  ...rest,
  limits,
  requests: { ...(isRecord(limits) ? limits : {}), ...(isRecord(requests) ? requests : {}) },
});

/** One spelling for equal values. */
export const sortedJson = (value: unknown): string => JSON.stringify(inKeyOrder(value));

/** The same value with the keys of every object in order, at every depth. */
export const inKeyOrder = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(inKeyOrder);
  if (typeof value !== "object" || value === null) return value;
  const source: Record<string, unknown> = { ...value };
  const keys = Object.keys(source).sort();
  return Object.fromEntries(keys.map((key) => [key, inKeyOrder(source[key])]));
};

/** Whether both are the same in JSON: in any key order, and where a field without a value is none. Spells neither of them. */
export const isSameJson = (one: unknown, other: unknown): boolean => {
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((item, at) => isSameJson(item, other[at]));
  }
  return isRecord(one) ? isRecord(other) && areSameFields(one, other) : one === other;
};

const areSameFields = (one: Record<string, unknown>, other: Record<string, unknown>): boolean => {
  let left = 0;
  for (const key in other) if (Object.hasOwn(other, key) && other[key] !== undefined) left++;
  for (const key in one) {
    if (!Object.hasOwn(one, key) || one[key] === undefined) continue;
    if (!Object.hasOwn(other, key) || !isSameJson(one[key], other[key])) return false;
    left--;
  }
  return left === 0;
};
