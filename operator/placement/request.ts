/** What a pod takes of its node, by the scheduler's arithmetic. Pure. */
import { parseQuantity } from "../api/v1alpha1/index.ts";
import type { Pod } from "../kube/objects.ts";

export type PodSpec = NonNullable<Pod["spec"]>;

/** Of each resource (`cpu`, `memory`, `nvidia.com/gpu`, `pods` …), in billionths of its unit. */
export type Amounts = ReadonlyMap<string, bigint>;

export const ONE = 10n ** 9n;

type Quantities = Record<string, string | number> | undefined;

export const amountsOf = (quantities: Quantities): Amounts =>
  new Map(Object.entries(quantities ?? {}).map(([resource, text]) => [resource, parseQuantity(text) ?? 0n]));

const combine = (one: Amounts, other: Amounts, how: (one: bigint, other: bigint) => bigint): Amounts =>
  new Map([...one.keys(), ...other.keys()].map((key) => [key, how(one.get(key) ?? 0n, other.get(key) ?? 0n)]));

export const plus = (one: Amounts, other: Amounts): Amounts => combine(one, other, (a, b) => a + b);
export const minus = (one: Amounts, other: Amounts): Amounts => combine(one, other, (a, b) => a - b);
const most = (one: Amounts, other: Amounts): Amounts => combine(one, other, larger);

/** Math.max takes no bigint. */
const larger = (one: bigint, other: bigint): bigint => {
  if (one > other) return one;
  return other;
};

/**
 * Containers run together; init containers run one after the other before them, each beside the sidecars (init containers
 * that restart) that were started before it. What the pod itself asks for stands in for the sum, and the overhead of its
 * runtime class comes on top. Each pod is one of the node's `pods`.
 */
export const requestOf = (spec: PodSpec): Amounts => {
  let sidecars: Amounts = new Map();
  let before: Amounts = new Map();
  for (const { resources, restartPolicy } of spec.initContainers ?? []) {
    const asked = amountsOf(resources?.requests);
    if (restartPolicy === "Always") sidecars = plus(sidecars, asked);
    before = most(before, restartPolicy === "Always" ? sidecars : plus(sidecars, asked));
  }
  const together = spec.containers.reduce((sum, { resources }) => plus(sum, amountsOf(resources?.requests)), sidecars);
  const ofPod = amountsOf(spec.resources?.requests);
  const asked = new Map([...most(before, together), ...ofPod]);
  return plus(plus(asked, amountsOf(spec.overhead)), new Map([["pods", ONE]]));
};
