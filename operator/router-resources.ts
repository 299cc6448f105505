/** `--router-resources`: resource requests and limits of each router. */
import { z } from "zod";
import { parseQuantity } from "./api/v1alpha1/index.ts";
import type { RouterResources } from "./controllers/namespace-router/children/deployment.ts";
import { parseJson } from "./platform/kube/json.ts";

/** A request that is slow to end keeps its body: a router needs so much at the worst, and no limit of the CPU. */
export const DEFAULT_ROUTER_RESOURCES = '{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"memory":"768Mi"}}';
/** Node's own memory, the heap, and the bodies that are kept: with less, a router would be killed under load. */
const LEAST_MEMORY = "512Mi";

const amounts = z
  .record(z.string(), z.union([z.string(), z.number()]).transform(String))
  .refine((all) => Object.values(all).every((one) => (parseQuantity(one) ?? -1n) >= 0n), "an amount is not a quantity")
  .default({});
const schema = z.strictObject({ requests: amounts, limits: amounts });

/** Throws an `Error` that says what is wrong. */
export const parseRouterResources = (text: string): RouterResources => {
  const { data, error } = schema.safeParse(parseJson(text));
  if (data === undefined)
    throw new Error(`must be JSON like ${DEFAULT_ROUTER_RESOURCES}: ${error?.issues[0]?.message ?? text}`);
  const { limits, requests } = data;
  for (const [resource, limit] of Object.entries(limits)) {
    const request = requests[resource];
    if (request !== undefined && isLess(limit, request))
      throw new Error(`limits.${resource} ${limit} is less than requests.${resource} ${request}`);
  }
  if (limits.memory !== undefined && isLess(limits.memory, LEAST_MEMORY))
    throw new Error(
      `limits.memory must be at least ${LEAST_MEMORY}, not ${limits.memory}: a router would be killed under load`,
    );
  return data;
};

const isLess = (one: string, other: string): boolean => (parseQuantity(one) ?? 0n) < (parseQuantity(other) ?? 0n);
