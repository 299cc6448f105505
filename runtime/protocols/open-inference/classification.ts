import { invalid } from "../../errors/request-error.ts";
import { elementCount, elements, type NumericArray, type Tensor, type TensorInfo } from "../../tensors/index.ts";
import { encodeStrings, MOST_STRINGS } from "../../tensors/strings.ts";

/** A text for each: more would make answers that are larger than the tensor by far. */
const MAX_CLASSES = 10_000;

/**
 * What the parameter `classification` of an output asks for; 0 is none. Throws InvalidArgument where it is no number, or
 * where the output has none.
 */
export const readClasses = ({ name, datatype }: TensorInfo, value: unknown): number | undefined => {
  const classes = typeof value === "bigint" ? Number(value) : value;
  if (classes === undefined || classes === null || classes === 0) return undefined;
  if (typeof classes !== "number" || !Number.isSafeInteger(classes) || classes < 0 || classes > MAX_CLASSES) {
    throw invalid(`output "${name}": parameter classification must be the number of classes, 1 to ${MAX_CLASSES}`);
  }
  if (datatype === "FP16" || datatype === "BYTES" || datatype === "BOOL") {
    throw invalid(`output "${name}": classification wants numbers, it has ${datatype}`);
  }
  return classes;
};

/**
 * The classification extension: for each item of a tensor (of its first dimension, where it has more than one) the
 * greatest `classes` values as "value:index", greatest first. NaN comes last. n values take n·log(classes) steps.
 * Throws InvalidArgument where there would be more texts than a tensor may have strings.
 */
export const classify = (name: string, tensor: Tensor, classes: number): Tensor => {
  const { datatype, shape, bytes } = tensor;
  if (datatype === "BYTES") throw new Error("strings have no classification");
  const values = elements(datatype, bytes);
  const total = elementCount(shape) ?? 0;
  const items = shape.length > 1 ? (shape[0] ?? 0) : 1;
  const size = items === 0 ? 0 : total / items;
  const count = Math.min(classes, size);
  if (size > 0 && items * count > MOST_STRINGS) {
    throw invalid(
      `output "${name}": classification gives ${items * count} texts, at most ${MOST_STRINGS} may be in one output; ask for fewer classes, or send less at once`,
    );
  }
  const texts: string[] = [];
  // items without values may be as many as a client likes to say
  for (let item = 0; size > 0 && item < items; item++) {
    for (const index of greatest(values, item * size, size, count)) {
      texts.push(`${show(values[item * size + index] ?? 0)}:${index}`);
    }
  }
  return { datatype: "BYTES", shape: shape.length > 1 ? [items, count] : [count], bytes: encodeStrings(texts) };
};

/** Which of the `size` values from `from` on are the `count` greatest, greatest first and of equals the first one first. */
const greatest = (values: NumericArray, from: number, size: number, count: number): number[] => {
  const rankOf = (index: number): number => rank(Number(values[from + index]));
  const isWorse = (one: number, other: number): boolean => {
    const [first, second] = [rankOf(one), rankOf(other)];
    return first < second || (first === second && one > other);
  };
  // a heap, the worst of the best at its root
  const heap = Array.from({ length: count }, (_, index) => index);
  const sink = (from: number): void => {
    let at = from;
    for (;;) {
      const child = 2 * at + 1;
      const other = child + 1;
      if (child >= count) return;
      const worse = other < count && isWorse(heap[other] ?? 0, heap[child] ?? 0) ? other : child;
      const [above = 0, below = 0] = [heap[at], heap[worse]];
      if (!isWorse(below, above)) return;
      heap[at] = below;
      heap[worse] = above;
      at = worse;
    }
  };
  for (let at = Math.floor(count / 2) - 1; at >= 0; at--) sink(at);
  for (let index = count; index < size; index++) {
    if (!isWorse(heap[0] ?? 0, index)) continue;
    heap[0] = index;
    sink(0);
  }
  return heap.sort((one, other) => (isWorse(one, other) ? 1 : -1));
};

/** NaN below all. */
const rank = (value: number): number =>
  Number.isNaN(value) ? Number.NEGATIVE_INFINITY : Math.max(value, -Number.MAX_VALUE);

/** As Triton writes them: six decimals, but none for 64-bit integers. */
const show = (value: number | bigint): string => (typeof value === "bigint" ? String(value) : value.toFixed(6));
