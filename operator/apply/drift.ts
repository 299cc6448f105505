/** Whether an object still is as we want it. Pure. */
import { sameQuantity } from "../api/v1alpha1/index.ts";
import { isRecord } from "../platform/kube/json.ts";

/** Maps whose values are quantities, which the API server respells (`1024Mi` comes back as `1Gi`). */
const QUANTITY_MAPS = new Set(["limits", "requests"]);
/** Maps that are one value: a key that somebody added changes their meaning. */
export const ATOMIC_MAPS: ReadonlySet<string> = new Set(["selector", "matchLabels", "nodeSelector"]);
/** What a NetworkPolicy lets in, and to which pods, and who gets a role: anything added, at any depth, lets in more or less. */
const EXACT = new Set(["ingress", "podSelector", "subjects"]);

/**
 * True if everything in `intended` is in `observed` with the same value. What only `observed` has are
 * the API server's defaults and other managers' fields. Lists of named things are matched by name.
 */
export const covers = (intended: unknown, observed: unknown, field = ""): boolean => {
  if (EXACT.has(field)) return covers(intended, observed) && covers(observed, intended);
  if (Array.isArray(intended)) return Array.isArray(observed) && coversList(intended, observed, field);
  if (isRecord(intended)) return isRecord(observed) && coversMap(intended, observed, field);
  if (field === "quantity" && isScalar(intended) && isScalar(observed)) return sameQuantity(intended, observed);
  return intended === observed;
};

/** Each pass compares all that it wants, so keys are walked without a list of them: that was a tenth of what a pass allocates. */
const coversMap = (intended: Record<string, unknown>, observed: Record<string, unknown>, field: string): boolean => {
  if (ATOMIC_MAPS.has(field) && Object.keys(observed).length !== Object.keys(intended).length) return false;
  const isOfQuantities = QUANTITY_MAPS.has(field);
  for (const key in intended) {
    if (!Object.hasOwn(intended, key)) continue;
    if (!covers(intended[key], own(observed, key), isOfQuantities ? "quantity" : key)) return false;
  }
  return true;
};

const coversList = (intended: unknown[], observed: unknown[], field: string): boolean => {
  if (!intended.every(isNamed)) {
    return intended.length === observed.length && intended.every((item, index) => covers(item, observed[index], field));
  }
  // a router is owned by hundreds of ModelDeployments: not each of them is compared with each other one
  let byName: Map<unknown, Record<string, unknown>[]> | undefined;
  return intended.every((item, index) => {
    // mostly both have the same order
    const beside = observed[index];
    if (isNamed(beside) && beside.name === item.name && covers(item, beside, field)) return true;
    byName ??= Map.groupBy(observed.filter(isRecord), ({ name }) => name);
    return byName.get(item.name)?.some((other) => covers(item, other, field)) === true;
  });
};

const isNamed = (item: unknown): item is { name: string } => isRecord(item) && typeof item.name === "string";

/** The first field of `intended`, as far down as there are maps, that `observed` does not have so; undefined: it covers all. */
export const differenceOf = (intended: unknown, observed: unknown): string[] | undefined => {
  if (!isRecord(intended) || !isRecord(observed)) return undefined;
  for (const [name, value] of Object.entries(intended)) {
    if (!covers(value, observed[name], name)) return [name, ...(differenceOf(value, observed[name]) ?? [])];
  }
  return undefined;
};

/**
 * A JSON merge patch that leaves of `observed` what `intended` says, and nothing that somebody added. The API server's own
 * defaults go with the rest, and come back by themselves.
 */
export const replacement = (intended: unknown, observed: unknown): unknown => {
  if (!isRecord(intended) || !isRecord(observed)) return intended;
  // a label may be called `constructor`, which every object has
  const added = Object.keys(observed).filter((key) => !Object.hasOwn(intended, key) || intended[key] === undefined);
  const kept = Object.entries(intended).map(([key, value]) => [key, replacement(value, own(observed, key))] as const);
  return Object.fromEntries([...added.map((key) => [key, null] as const), ...kept]);
};

const own = (map: Record<string, unknown>, key: string): unknown => (Object.hasOwn(map, key) ? map[key] : undefined);

const isScalar = (value: unknown): value is string | number => typeof value === "string" || typeof value === "number";
