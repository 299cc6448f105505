/** Follows the elements of small tensors through operators that move them: what shapes are put together with. */
import { axisIn, type Call, intOf, intsOf, numbersIn } from "./call.ts";
import { constant, isConstant, ONE, type Term } from "./terms.ts";
import type { Tensor } from "./values.ts";

/** Elements that are followed. */
export const MAX_FOLDED = 256;

type Dense = { dims: readonly number[]; data: readonly Term[] };

/** Undefined where elements or sizes are not known. */
const dense = (tensor: Tensor | undefined): Dense | undefined => {
  const { shape, data } = tensor ?? {};
  if (shape === undefined || data === undefined || !shape.every(isConstant)) return undefined;
  const dims = shape.map(({ c }) => c);
  return dims.reduce((all, size) => all * size, 1) === data.length ? { dims, data } : undefined;
};

/** The elements of a result of `dims`, each from the place in the source that `from` gives for its own. */
const place = (dims: readonly number[], from: (index: readonly number[]) => Term | undefined): Term[] | undefined => {
  const count = dims.reduce((all, size) => all * size, 1);
  if (count > MAX_FOLDED) return undefined;
  const result: Term[] = [];
  const index = dims.map(() => 0);
  for (let i = 0; i < count; i++) {
    const term = from(index);
    if (term === undefined) return undefined;
    result.push(term);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (dims[axis] ?? 0)) break;
      index[axis] = 0;
    }
  }
  return result;
};

const element = ({ dims, data }: Dense, index: readonly number[]): Term | undefined => {
  let at = 0;
  for (const [axis, size] of dims.entries()) {
    const i = index[axis] ?? 0;
    if (i < 0 || i >= size) return undefined;
    at = at * size + i;
  }
  return data[at];
};

type Follow = (call: Call, x: Dense, dims: readonly number[], at: number) => readonly Term[] | undefined;

const inOrder: Follow = (_, { data }) => data;

const transpose: Follow = (call, x, dims) => {
  const perm = intsOf(call, "perm") ?? x.dims.map((_, i) => x.dims.length - 1 - i);
  return place(dims, (index) =>
    element(
      x,
      x.dims.map((_, axis) => index[perm.indexOf(axis)] ?? 0),
    ),
  );
};

const gather: Follow = (call, x, dims) => {
  const indices = dense(call.inputs[1]);
  if (indices === undefined || numbersIn(call.inputs[1]) === undefined) return undefined;
  const axis = axisIn(intOf(call, "axis") ?? 0, x.dims.length);
  const rank = indices.dims.length;
  return place(dims, (index) => {
    const taken = element(indices, index.slice(axis, axis + rank))?.c ?? 0;
    const own = taken < 0 ? taken + (x.dims[axis] ?? 0) : taken;
    return element(x, [...index.slice(0, axis), own, ...index.slice(axis + rank)]);
  });
};

const concat: Follow = (call, x, dims) => {
  const parts = call.inputs.map(dense);
  const axis = axisIn(intOf(call, "axis") ?? 0, x.dims.length);
  return place(dims, (index) => {
    let own = index[axis] ?? 0;
    for (const part of parts) {
      const size = part?.dims[axis];
      if (part === undefined || size === undefined) return undefined;
      if (own < size) return element(part, index.with(axis, own));
      own -= size;
    }
    return undefined;
  });
};

const split: Follow = (call, x, dims, at) => {
  const axis = axisIn(intOf(call, "axis") ?? 0, x.dims.length);
  const lengths = numbersIn(call.inputs[1]) ?? intsOf(call, "split");
  const before =
    lengths === undefined ? at * (dims[axis] ?? 0) : lengths.slice(0, at).reduce((all, one) => all + one, 0);
  return place(dims, (index) => element(x, index.with(axis, (index[axis] ?? 0) + before)));
};

const expand: Follow = (_, x, dims) =>
  place(dims, (index) =>
    element(
      x,
      x.dims.map((size, axis) => (index[axis + dims.length - x.dims.length] ?? 0) % size),
    ),
  );

/** Slices of known starts and steps; `dims` are those of the result. */
const slice: Follow = (call, x, dims) => {
  const starts = numbersIn(call.inputs[1]) ?? intsOf(call, "starts");
  if (starts === undefined) return undefined;
  const axes = numbersIn(call.inputs[3]) ?? intsOf(call, "axes") ?? starts.map((_, i) => i);
  const steps = numbersIn(call.inputs[4]) ?? starts.map(() => 1);
  const first = x.dims.map(() => 0);
  const step = x.dims.map(() => 1);
  for (const [i, given] of axes.entries()) {
    const axis = axisIn(given, x.dims.length);
    const size = x.dims[axis] ?? 0;
    const start = starts[i] ?? 0;
    const by = steps[i] ?? 1;
    const from = start < 0 ? start + size : start;
    first[axis] = by > 0 ? Math.min(Math.max(from, 0), size) : Math.min(Math.max(from, 0), size - 1);
    step[axis] = by;
  }
  return place(dims, (index) =>
    element(
      x,
      index.map((i, axis) => (first[axis] ?? 0) + i * (step[axis] ?? 1)),
    ),
  );
};

const reduce =
  (combine: (call: Call, one: Term, other: Term) => Term | undefined): Follow =>
  (call, { data }, dims) => {
    if (dims.some((size) => size !== 1)) return undefined;
    let all = data[0];
    for (const term of data.slice(1)) all = all && combine(call, all, term);
    return all && [all];
  };

const extreme = (pick: (one: number, other: number) => number) =>
  reduce((_, one, other) => (isConstant(one) && isConstant(other) ? constant(pick(one.c, other.c)) : undefined));

const FOLLOW: Readonly<Record<string, Follow>> = {
  Reshape: inOrder,
  Flatten: inOrder,
  Squeeze: inOrder,
  Unsqueeze: inOrder,
  Transpose: transpose,
  Gather: gather,
  Concat: concat,
  Split: split,
  Expand: expand,
  Tile: expand,
  Slice: slice,
  ReduceProd: reduce(({ symbols }, one, other) => symbols.times(one, other)),
  ReduceSum: reduce(({ symbols }, one, other) => symbols.plus(one, other)),
  ReduceMax: extreme(Math.max),
  ReduceMin: extreme(Math.min),
};

/** Whether it only moves elements, or puts them together, so that sizes may pass through it. */
export const movesElements = (operator: string): boolean => Object.hasOwn(FOLLOW, operator);

/** The elements of output `at`, whose sizes are known; undefined where they are not. */
export const followElements = (call: Call, result: Tensor, at: number): readonly Term[] | undefined => {
  const x = dense(call.inputs[0]);
  const follow = FOLLOW[call.node.operator];
  if (x === undefined || follow === undefined || result.rows !== undefined) return undefined;
  const { shape } = result;
  if (shape === undefined || !shape.every(isConstant)) return undefined;
  const dims = shape.map(({ c }) => c);
  const data = follow(call, x, dims, at);
  return data?.length === dims.reduce((all, size) => all * size, ONE.c) ? data : undefined;
};
