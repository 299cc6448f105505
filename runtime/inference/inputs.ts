import type { Tensor, TensorInfo } from "../tensors/index.ts";
import type { Model } from "./index.ts";

/** Whether a tensor of this shape is one for the input. */
export const fits = ({ anyRank, shape: wanted }: TensorInfo, shape: readonly number[]): boolean => {
  if (anyRank !== true && wanted.length !== shape.length) return false;
  for (let i = 0; i < shape.length; i++) {
    const size = shape[i] ?? -1;
    const want = wanted[i] ?? null;
    if (!Number.isSafeInteger(size) || size < 0 || (want !== null && want !== size)) return false;
  }
  return true;
};

/** The input that is meant where a request names none: the only one that it must bring, or the only one that there is. */
export const namelessInput = ({ inputs }: Model): TensorInfo | undefined => {
  const required = inputs.filter((info) => info.default === undefined);
  const [only, another] = required.length === 0 ? inputs : required;
  return another === undefined ? only : undefined;
};

/** Looked for only where a request has left something out. */
const defaults = new WeakMap<Model, ReadonlyMap<string, Tensor>>();

const defaultsOf = (model: Model): ReadonlyMap<string, Tensor> => {
  const known = defaults.get(model);
  if (known !== undefined) return known;
  const found = new Map<string, Tensor>();
  for (const { name, datatype, default: value } of model.inputs) {
    if (value === undefined) continue;
    found.set(name, { datatype, shape: value.shape, bytes: Buffer.from(value.base64, "base64") });
  }
  defaults.set(model, found);
  return found;
};

/**
 * Gives a request's tensors what it has left out and the model has a default for, so that from here on it is like one that
 * has brought everything. What is still missing comes back, by name.
 */
export const addDefaults = (model: Model, tensors: Map<string, Tensor>): string[] => {
  if (tensors.size === model.inputs.length) return [];
  const missing: string[] = [];
  for (const { name } of model.inputs) {
    if (tensors.has(name)) continue;
    const tensor = defaultsOf(model).get(name);
    if (tensor === undefined) missing.push(name);
    else tensors.set(name, tensor);
  }
  return missing;
};
