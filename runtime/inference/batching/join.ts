import { DATATYPES, elementCount, type Tensor } from "../../tensors/index.ts";
import type { JobInput } from "../shards/types.ts";

/** The model did not answer a batch as it did when batching was proved; its requests must run apart. */
export class Misfit extends Error {}

/** One input of a job for several requests. `axis` undefined: all bring the same value, and the first stands for them. */
export const joinInput = (name: string, axis: number | undefined, tensors: readonly Tensor[]): JobInput => {
  const [first] = tensors;
  if (first === undefined) throw new RangeError("nothing to join");
  const { datatype } = first;
  if (axis === undefined || tensors.length === 1) {
    return { name, datatype, shape: first.shape, parts: [first.bytes] };
  }
  const shape = first.shape.slice();
  shape[axis] = tensors.reduce((sum, tensor) => sum + (tensor.shape[axis] ?? 0), 0);
  // joined at the outermost axis, the requests' own bytes follow each other: no copy
  if (axis === 0) return { name, datatype, shape, parts: tensors.map(({ bytes }) => bytes) };
  const outer = elementCount(shape.slice(0, axis)) ?? 0;
  const slices = tensors.map((tensor) => slicer(tensor, outer));
  const parts: Uint8Array[] = [];
  for (let i = 0; i < outer; i++) for (const slice of slices) parts.push(slice(i));
  // one copy here is cheaper than a part for each of many small pieces
  return { name, datatype, shape, parts: [Buffer.concat(parts)] };
};

/**
 * The requests' own outputs, `rows[i]` of each for request i. No copy where the axis is 0. Throws Misfit where the output
 * has not as many rows as the requests have together.
 */
export const splitOutput = (name: string, tensor: Tensor, axis: number, rows: readonly number[]): Tensor[] => {
  const total = rows.reduce((sum, count) => sum + count, 0);
  if (tensor.shape[axis] !== total) {
    throw new Misfit(`output "${name}" has the shape [${tensor.shape.join(", ")}] for a batch of ${total}`);
  }
  const outer = elementCount(tensor.shape.slice(0, axis)) ?? 0;
  const inner = elementCount(tensor.shape.slice(axis + 1)) ?? 0;
  const at = offsets(tensor, outer * total * inner);
  const results: Tensor[] = [];
  let row = 0;
  for (const count of rows) {
    const shape = tensor.shape.slice();
    shape[axis] = count;
    const parts: Uint8Array[] = [];
    for (let i = 0; i < outer; i++) {
      const begin = (i * total + row) * inner;
      parts.push(tensor.bytes.subarray(at(begin), at(begin + count * inner)));
    }
    const [only] = parts;
    const bytes = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
    results.push({ datatype: tensor.datatype, shape, bytes });
    row += count;
  }
  return results;
};

/** Gives the i-th of `outer` equal runs of elements. */
const slicer = (tensor: Tensor, outer: number): ((i: number) => Uint8Array) => {
  const count = elementCount(tensor.shape) ?? 0;
  const at = offsets(tensor, count);
  const each = outer === 0 ? 0 : count / outer;
  return (i) => tensor.bytes.subarray(at(i * each), at((i + 1) * each));
};

/** Where an element begins, in bytes. Strings have no fixed size, so all before it are passed once. */
const offsets = ({ datatype, bytes }: Tensor, count: number): ((element: number) => number) => {
  if (datatype !== "BYTES") {
    const size = DATATYPES[datatype].bytes;
    return (element) => element * size;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = new Float64Array(count + 1);
  let at = 0;
  for (let i = 0; i < count; i++) {
    starts[i] = at;
    if (at + 4 > bytes.length) throw new Misfit(`${bytes.length} bytes hold fewer than ${count} strings`);
    at += 4 + view.getUint32(at, true);
  }
  starts[count] = at;
  return (element) => starts[element] ?? at;
};
