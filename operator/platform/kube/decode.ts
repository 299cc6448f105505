import { errorWithoutAnswer } from "./errors.ts";
import { isRecord } from "./json.ts";
import type { KubeObject, Resource } from "./objects.ts";

/**
 * Whether an answer is an object of this kind. The fields within are the API server's promise: it has
 * validated them against the kind's schema, and doing so again for each watch event would cost more than the operator itself.
 */
const isObjectOf = <T extends KubeObject>(resource: Resource<T>, value: unknown): value is T =>
  isRecord(value) &&
  value.kind === resource.kind &&
  value.apiVersion === resource.apiVersion &&
  isRecord(value.metadata) &&
  typeof value.metadata.name === "string";

/** Types an answer. The items of a list come without `kind` and `apiVersion`, which are put back. */
export const decode = <T extends KubeObject>(operation: string, resource: Resource<T>, value: unknown): T => {
  const { kind, apiVersion } = resource;
  const whole = isRecord(value) && value.kind === undefined ? { apiVersion, kind, ...value } : value;
  if (isObjectOf(resource, whole)) return whole;
  throw errorWithoutAnswer(operation, "NotAnObject", `the answer is not a ${kind} of ${apiVersion}`);
};

export const decodeList = <T extends KubeObject>(operation: string, resource: Resource<T>, value: unknown) => {
  const metadata = isRecord(value) && isRecord(value.metadata) ? value.metadata : {};
  const items = isRecord(value) ? (value.items ?? []) : undefined;
  if (!Array.isArray(items) || typeof metadata.resourceVersion !== "string") {
    throw errorWithoutAnswer(operation, "NotAList", `the answer is not a list of ${resource.plural}`);
  }
  return {
    items: items.map((item) => decode(operation, resource, item)),
    resourceVersion: metadata.resourceVersion,
    ...(typeof metadata.continue === "string" && metadata.continue !== "" ? { continue: metadata.continue } : {}),
  };
};
