/** What a pod takes of its node, by the scheduler's arithmetic. Pure. */
import { parseQuantity, roundedUp } from "../../api/v1alpha1/index.ts";
import type { Pod } from "../../platform/kube/objects.ts";

export type PodSpec = NonNullable<Pod["spec"]>;

/** Of each resource (`cpu`, `memory`, `nvidia.com/gpu`, `pods` …), in billionths of its unit. */
export type Amounts = ReadonlyMap<string, bigint>;

export const ONE = 10n ** 9n;

/** Claims that are made for the pod alone, of a device or more each; and claims that it shares with others. */
export const OWN_CLAIMS = "resource.k8s.io/own-claims";
export const SHARED_CLAIMS = "resource.k8s.io/shared-claims";

type Quantities = Record<string, string | number> | undefined;
type Status = Pod["status"];
type Container = PodSpec["containers"][number];

export const amountsOf = (quantities: Quantities): Amounts =>
  new Map(Object.entries(quantities ?? {}).map(([resource, text]) => [resource, parseQuantity(text) ?? 0n]));

const MILLI = ONE / 1000n;

/** As the scheduler counts them: whole units, and thousandths of a core, rounded up. */
export const inUnits = (amounts: Amounts): Map<string, bigint> =>
  new Map([...amounts].map(([name, amount]) => [name, roundedUp(amount, name === "cpu" ? MILLI : ONE)]));

const combine = (one: Amounts, other: Amounts, how: (one: bigint, other: bigint) => bigint): Amounts =>
  new Map([...one.keys(), ...other.keys()].map((key) => [key, how(one.get(key) ?? 0n, other.get(key) ?? 0n)]));

/** `sums`, which is changed. */
export const addTo = (sums: Map<string, bigint>, more: Iterable<readonly [string, bigint]>): Map<string, bigint> => {
  for (const [name, amount] of more) sums.set(name, (sums.get(name) ?? 0n) + amount);
  return sums;
};

export const minus = (one: Amounts, other: Amounts): Amounts => combine(one, other, (a, b) => a - b);
const most = (one: Amounts, other: Amounts): Amounts => combine(one, other, larger);

/** Math.max takes no bigint. */
const larger = (one: bigint, other: bigint): bigint => {
  if (one > other) return one;
  return other;
};

/** What a pod itself may ask for; of anything else its containers' sum counts. */
const isOfPods = (resource: string): boolean =>
  resource === "cpu" || resource === "memory" || resource.startsWith("hugepages-");

type Requests = { requests?: Quantities };
type Resized = { allocatedResources?: Quantities; resources?: Requests };

/** The node has refused a resize for good: what the spec asks for since then will not be had. */
const isInfeasible = (status: Status): boolean =>
  status?.conditions?.find(({ type }) => type === "PodResizePending")?.reason === "Infeasible";

/** While it is resized, the most of what the spec asks for, the node has set aside, and the container has. */
const resized = (asked: Quantities, { allocatedResources, resources }: Resized, status: Status): Amounts => {
  const held = most(amountsOf(resources?.requests), amountsOf(allocatedResources));
  return isInfeasible(status) ? held : most(held, amountsOf(asked));
};

/** A container's status by its name: a pod may have a thousand of them. */
type ByName = ReadonlyMap<string, Resized>;

const byName = (status: Status): ByName =>
  new Map(
    [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].map((one) => [one.name, one]),
  );

const requestOfContainer = ({ name, resources }: Container, status: Status, statuses: ByName): Amounts => {
  const its = statuses.get(name);
  return its?.resources === undefined ? amountsOf(resources?.requests) : resized(resources?.requests, its, status);
};

/** What the pod asks for as a whole, which stands in for the sum of its containers. */
const requestOfPod = ({ resources }: PodSpec, status: Status): Amounts => {
  const asked = [...amountsOf(resources?.requests)].filter(([name]) => isOfPods(name));
  if (status?.resources === undefined) return new Map(asked);
  const all = resized(resources?.requests, status, status);
  return new Map(asked.map(([name]) => [name, all.get(name) ?? 0n]));
};

/**
 * Containers run together; init containers run one after the other before them, each beside the sidecars (init containers
 * that restart) that were started before it. What the pod itself asks for stands in for the sum, and the overhead of its
 * runtime class comes on top. Each pod is one of the node's `pods`.
 *
 * @param status of a pod that has its node: what it holds differs from what it asks for while it is resized
 */
export const requestOf = (spec: PodSpec, status?: Status): Amounts => {
  // each quantity is added where it is counted: a sum that is copied for each container takes seconds of a pod with a thousand
  const together = new Map<string, bigint>();
  const before = new Map<string, bigint>();
  const statuses = byName(status);
  for (const container of spec.initContainers ?? []) {
    const isSidecar = container.restartPolicy === "Always";
    const asked = isSidecar
      ? requestOfContainer(container, status, statuses)
      : amountsOf(container.resources?.requests);
    for (const [name, amount] of asked) {
      const beside = (together.get(name) ?? 0n) + amount;
      if (isSidecar) together.set(name, beside);
      before.set(name, larger(before.get(name) ?? 0n, beside));
    }
  }
  for (const container of spec.containers) addTo(together, requestOfContainer(container, status, statuses));
  const asked = new Map([...most(before, together), ...requestOfPod(spec, status)]);
  return addTo(inUnits(addTo(asked, amountsOf(spec.overhead))), [["pods", ONE], ...claimsOf(spec)]);
};

const claimsOf = ({ resourceClaims = [] }: PodSpec): [string, bigint][] => {
  const own = resourceClaims.filter((claim) => claim.resourceClaimTemplateName !== undefined).length;
  const shared = resourceClaims.length - own;
  return [
    ...(own > 0 ? [[OWN_CLAIMS, BigInt(own) * ONE] satisfies [string, bigint]] : []),
    ...(shared > 0 ? [[SHARED_CLAIMS, BigInt(shared) * ONE] satisfies [string, bigint]] : []),
  ];
};
