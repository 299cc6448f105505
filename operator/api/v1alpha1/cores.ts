/** What no rule of the CRD sees: cores may be numbers with a point, which have no type there. Pure. */
import { parseQuantity } from "./quantity.ts";
import type { ModelDeploymentSpec } from "./spec.ts";

type Amounts = { cpu?: string | number | undefined } | undefined;

/** Why the cores of a spec mean nothing, with the field in front; undefined where they mean something. */
export const coresFault = ({ model, resources }: Partial<ModelDeploymentSpec>): string | undefined =>
  faultIn("spec.resources", resources?.requests, resources?.limits) ??
  faultIn("spec.model.fetch.resources", model?.fetch?.resources?.requests, model?.fetch?.resources?.limits);

const faultIn = (path: string, requests: Amounts, limits: Amounts): string | undefined => {
  const [request, limit] = [requests?.cpu, limits?.cpu].map((cores) =>
    cores === undefined ? undefined : parseQuantity(cores),
  );
  return request !== undefined && limit !== undefined && request > limit
    ? `${path}.requests.cpu: must not be above ${path}.limits.cpu`
    : undefined;
};
