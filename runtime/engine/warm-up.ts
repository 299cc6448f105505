import { Failure } from "../termination.ts";
import { type Engine, InferenceError, type Tensor, type TensorInfo } from "./index.ts";
import { elementCount, zeros } from "./tensors.ts";

/**
 * What the first inference showed. `unproven` is a model whose open dimensions fit none of the sizes that were tried:
 * it may be good for its users' shapes, so it serves, and the reason is told.
 */
export type WarmUp = { outcome: "passed"; shapes: Record<string, number[]> } | { outcome: "unproven"; reason: string };

/** No input larger than this is synthesised: a warm-up must not take the memory that requests need. */
const MAX_ELEMENTS = 16 * 1024 ** 2;

/** Sizes for the open dimensions: all 1; small; and those usual for pictures in NCHW and NHWC, the batch being 1. */
const SIZES: ((dimension: number, shape: readonly (number | null)[]) => number)[] = [
  () => 1,
  (dimension) => (dimension === 0 ? 1 : 8),
  (dimension) => (dimension === 0 ? 1 : 32),
  (dimension, shape) =>
    dimension === 0 ? 1 : dimension === shape.length - 2 ? 48 : dimension === shape.length - 1 ? 192 : 3,
  (dimension, shape) => (dimension === 0 ? 1 : dimension === shape.length - 1 && shape.length === 4 ? 3 : 224),
  (dimension) => (dimension === 0 ? 1 : 224),
];

/** Shapes to try for the inputs, in order and without repeats. A model without open dimensions has exactly one. */
export const candidateShapes = (inputs: readonly TensorInfo[]): number[][][] => {
  const seen = new Set<string>();
  return SIZES.map((size) => inputs.map(({ shape }) => shape.map((known, i) => known ?? size(i, shape)))).filter(
    (shapes) => {
      const key = JSON.stringify(shapes);
      const tooLarge = shapes.some((shape) => (elementCount(shape) ?? Number.POSITIVE_INFINITY) > MAX_ELEMENTS);
      if (seen.has(key) || (tooLarge && seen.size > 0)) return false;
      seen.add(key);
      return true;
    },
  );
};

/** Runs the model once with zeros. Throws a Failure (WarmUpFailed) where no shape could be to blame. */
export const warmUp = async (engine: Engine): Promise<WarmUp> => {
  const open = engine.inputs.some(({ shape }) => shape.includes(null));
  const outputs = engine.outputs.map(({ name }) => name);
  let reason = "";
  for (const shapes of candidateShapes(engine.inputs)) {
    const tensors = engine.inputs.map(({ name, datatype }, i): [string, Tensor] => {
      const shape = shapes[i] ?? [];
      return [name, { datatype, shape, data: zeros(datatype, elementCount(shape) ?? 0) }];
    });
    try {
      await engine.run(new Map(tensors), outputs);
      return { outcome: "passed", shapes: Object.fromEntries(tensors.map(([name, { shape }]) => [name, shape])) };
    } catch (error) {
      if (!(error instanceof InferenceError)) throw error;
      if (error.blame !== "input" || !open) {
        throw new Failure("WarmUpFailed", `the model loads, but its first inference failed: ${error.message}`);
      }
      reason ||= error.message;
    }
  }
  return { outcome: "unproven", reason };
};
