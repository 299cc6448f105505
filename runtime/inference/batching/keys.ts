import type { InferenceCall, Model } from "../index.ts";
import type { BatchAxes } from "./axis.ts";

/** An input that all requests of a batch must have equal is compared by its bytes; larger ones than this run alone. */
const MAX_SHARED_BYTES = 256;

/** What decides whether two requests may share a run. */
export type Shape = {
  /** Equal for requests that may share a run. */
  key: string;
  /** The part of it that is of shapes and outputs: what a run costs depends on it. */
  dimensions: string;
  /** Its own items along the batch axis. */
  rows: number;
  joins: boolean;
};

/** The batch axis is not in the key once batching is proved; before, every shape is its own. */
export const newShapeOf = (model: Model, axes: BatchAxes | undefined): ((call: InferenceCall) => Shape) => {
  const inputs = model.inputs.map(({ name, shape }, i) => ({
    name,
    axis: axes?.inputs[i],
    shared: axes !== undefined && axes.inputs[i] === undefined,
    open: shape.flatMap((size, at) => (size === null && at !== axes?.inputs[i] ? [at] : [])),
    // before anything is proved, a first open dimension is what people call the batch: this only counts items
    counted: axes === undefined && i === 0 && shape[0] === null,
  }));
  const all = model.outputs.map(({ name }) => name).join("\0");
  let lastOutputs: readonly string[] | undefined;
  let lastOutputsKey = "";
  return (call) => {
    if (call.outputs !== lastOutputs) {
      lastOutputs = call.outputs;
      const joined = call.outputs.join("\0");
      lastOutputsKey = joined === all ? "" : `${joined}\0`;
    }
    let dimensions = lastOutputsKey;
    let values = "";
    let rows = 0;
    let joins = axes !== undefined;
    for (const input of inputs) {
      const tensor = call.inputs.get(input.name);
      if (tensor === undefined) {
        joins = false;
        continue;
      }
      if (input.axis !== undefined) {
        const own = tensor.shape[input.axis] ?? 0;
        if (rows !== 0 && own !== rows) joins = false;
        rows = own;
        if (own === 0) joins = false;
      } else if (input.counted) rows = tensor.shape[0] ?? 1;
      for (const at of input.open) dimensions += `${tensor.shape[at]},`;
      dimensions += ";";
      if (!input.shared) continue;
      if (tensor.bytes.length > MAX_SHARED_BYTES) joins = false;
      else {
        const { buffer, byteOffset, byteLength } = tensor.bytes;
        values += `|${Buffer.from(buffer, byteOffset, byteLength).toString("latin1")}`;
      }
    }
    return { key: joins ? dimensions + values : `!${dimensions}`, dimensions, rows: Math.max(rows, 1), joins };
  };
};
