import { Failure } from "../errors/termination.ts";
import { DATATYPES, type Datatype, elementCount, elements, type Tensor, type TensorInfo } from "../tensors/index.ts";
import { encodeStrings } from "../tensors/strings.ts";
import { InferenceError } from "./errors.ts";
import type { Engine } from "./session.ts";

/**
 * What the first inference showed. `unproven` is a model that refused all values and shapes that were made up: it may be good
 * for its users' own, so it serves, and the reason is told.
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

/** Dimensions to try for inputs that may have any number of them. */
const RANKS = [2, 1, 3, 4, 0];

/** Shapes to try for the inputs, in order and without repeats. A model without open dimensions has exactly one. */
const candidateShapes = (inputs: readonly TensorInfo[]): number[][][] => {
  const seen = new Set<string>();
  const ranks = inputs.some(({ anyRank }) => anyRank === true) ? RANKS : [0];
  const shaped = ranks.flatMap((rank) => {
    const shapes = inputs.map(({ shape, anyRank }) => (anyRank === true ? Array<null>(rank).fill(null) : shape));
    return SIZES.map((size) => shapes.map((shape) => shape.map((known, i) => known ?? size(i, shape))));
  });
  return shaped.filter((shapes) => {
    const key = JSON.stringify(shapes);
    const tooLarge = shapes.some((shape) => (elementCount(shape) ?? Number.POSITIVE_INFINITY) > MAX_ELEMENTS);
    if (seen.has(key) || (tooLarge && seen.size > 0)) return false;
    seen.add(key);
    return true;
  });
};

/** No further attempt begins after this time, in milliseconds: a server that can be ready is not to wait for a proof. */
const MAX_ATTEMPTS_MS = 10_000;

/** Failures that no other value could cure. */
const HOPELESS = /NOT_IMPLEMENTED|not implemented|could not find an implementation|no kernel/i;
const RESOURCES = /bad_alloc|bad allocation|alloc\w*.*memory|out of memory|CUDA|cudnn|cublas|TensorRT|EP_FAIL|device/i;

/**
 * Runs the model until one run passes: with zeros, then with ones (zeros are no valid sizes, steps or divisors), and so for
 * each shape. Throws a Failure (WarmUpFailed) where neither values nor shapes can be to blame. `now`: in milliseconds.
 */
export const warmUp = async (engine: Engine, now: () => number = () => performance.now()): Promise<WarmUp> => {
  const started = now();
  const outputs = engine.outputs.map(({ name }) => name);
  const fills = engine.inputs.length === 0 ? [zeros] : [zeros, ones];
  let reason: string | undefined;
  let smallest = true;
  for (const shapes of candidateShapes(engine.inputs)) {
    for (const fill of fills) {
      if (reason !== undefined && now() - started > MAX_ATTEMPTS_MS) return { outcome: "unproven", reason };
      const tensors = engine.inputs.map(({ name, datatype, default: value }, i): [string, Tensor] => {
        if (value !== undefined)
          return [name, { datatype, shape: value.shape, bytes: Buffer.from(value.base64, "base64") }];
        const shape = shapes[i] ?? [];
        return [name, { datatype, shape, bytes: fill(datatype, elementCount(shape) ?? 0) }];
      });
      try {
        await engine.run(new Map(tensors), outputs);
        const passed = tensors.map(([name, { shape }]) => [name, [...shape]]);
        return { outcome: "passed", shapes: Object.fromEntries(passed) };
      } catch (error) {
        if (!(error instanceof InferenceError)) throw error;
        // Larger shapes than the smallest may ask for memory that requests never need.
        if (isHopeless(error.message, smallest) || engine.inputs.length === 0) {
          throw new Failure("WarmUpFailed", `the model loads, but its first inference fails: ${error.message}`);
        }
        reason ??= error.message;
      }
    }
    smallest = false;
  }
  return { outcome: "unproven", reason: reason ?? "no sample input could be generated" };
};

const isHopeless = (message: string, smallest: boolean): boolean =>
  HOPELESS.test(message) || (smallest && RESOURCES.test(message));

/** Zeros; strings are empty, so that each is its length alone. */
const zeros = (datatype: Datatype, length: number): Uint8Array =>
  new Uint8Array(length * (datatype === "BYTES" ? 4 : DATATYPES[datatype].bytes));

/** Float16 has no array of its own here: this is its 1. */
const FP16_ONE = 0x3c00;

/** Ones; of strings "1", which is a number too. */
const ones = (datatype: Datatype, length: number): Uint8Array => {
  if (datatype === "BYTES") return encodeStrings(Array<string>(length).fill("1"));
  const bytes = zeros(datatype, length);
  const array = elements(datatype, bytes);
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) array.fill(1n);
  else array.fill(datatype === "FP16" ? FP16_ONE : 1);
  return bytes;
};
