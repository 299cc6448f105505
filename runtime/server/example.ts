import { elementCount } from "../tensors/index.ts";
import type { ReadyMessage } from "./messages.ts";

/** Larger inputs than this are no reading for a terminal. */
const MAX_ELEMENTS = 32;

/** A command that the model answers, or where it would be too long, one that shows what the model wants. */
export const curlExample = (url: string, inputs: ReadyMessage["inputs"], warmUp: ReadyMessage["warmUp"]): string => {
  const shapes = warmUp.outcome === "passed" ? warmUp.shapes : {};
  const small = inputs.every(({ name }) => (elementCount(shapes[name] ?? [MAX_ELEMENTS + 1]) ?? 0) <= MAX_ELEMENTS);
  if (!small || inputs.some(({ datatype }) => datatype === "FP16")) return `curl ${url}`;
  const body = {
    inputs: inputs.map(({ name, datatype }) => {
      const shape = shapes[name] ?? [];
      const zero = datatype === "BOOL" ? false : datatype === "BYTES" ? "" : 0;
      return { name, shape, datatype, data: Array(elementCount(shape) ?? 0).fill(zero) };
    }),
  };
  return `curl -d '${JSON.stringify(body).replaceAll("'", "'\\''")}' ${url}/infer`;
};
