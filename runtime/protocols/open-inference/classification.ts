import { elementCount, elements, type Tensor } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";

/**
 * The classification extension: for each item of a tensor (of its first dimension, where it has more than one) the
 * greatest `classes` values as "value:index", greatest first. NaN comes last.
 */
export const classify = (tensor: Tensor, classes: number): Tensor => {
  const { datatype, shape, bytes } = tensor;
  if (datatype === "BYTES") throw new Error("strings have no classification");
  const values = elements(datatype, bytes);
  const items = shape.length > 1 ? (shape[0] ?? 0) : 1;
  const size = items === 0 ? 0 : (elementCount(shape) ?? 0) / items;
  const count = Math.min(classes, size);
  const texts: string[] = [];
  for (let item = 0; item < items; item++) {
    const order = Array.from({ length: size }, (_, i) => i);
    const at = (i: number): number => Number(values[item * size + i]);
    order.sort((one, other) => rank(at(other)) - rank(at(one)) || one - other);
    for (const index of order.slice(0, count)) texts.push(`${show(values[item * size + index] ?? 0)}:${index}`);
  }
  return { datatype: "BYTES", shape: shape.length > 1 ? [items, count] : [count], bytes: encodeStrings(texts) };
};

/** Finite, so that the difference of two is a number. */
const rank = (value: number): number =>
  Number.isNaN(value) ? -Number.MAX_VALUE : Math.min(Math.max(value, -Number.MAX_VALUE / 2), Number.MAX_VALUE / 2);

/** As Triton writes them: six decimals, but none for 64-bit integers. */
const show = (value: number | bigint): string => (typeof value === "bigint" ? String(value) : value.toFixed(6));
