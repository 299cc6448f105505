/** What no rule of the CRD sees: cores may be numbers with a point, which have no type there. Pure. */
import { parseQuantity } from "./quantity.ts";
import type { ModelDeploymentSpec } from "./spec.ts";

/** Why the cores of a spec mean nothing, with the field in front; undefined where they mean something. */
export const coresFault = ({ resources }: Pick<ModelDeploymentSpec, "resources">): string | undefined => {
  const [request, limit] = [resources?.requests?.cpu, resources?.limits?.cpu].map((cores) =>
    cores === undefined ? undefined : parseQuantity(cores),
  );
  return request !== undefined && limit !== undefined && request > limit
    ? "spec.resources.requests.cpu: must not be above spec.resources.limits.cpu"
    : undefined;
};
