/** Operators that pick, cut, join and move elements. */
import {
  axesOf,
  axisIn,
  type Call,
  input,
  intOf,
  intsOf,
  mustBeFixed,
  numbersIn,
  type Rule,
  shapeOf,
} from "../call.ts";
import { constant, equal, isConstant, isNumber, isSize, isSized, ONE, type Term } from "../terms.ts";
import { fixed, type Rows, refuse, sameRows, type Tensor, withRows } from "../values.ts";

const like = (x: Tensor, shape: readonly Term[], rows: Rows | undefined): Tensor =>
  rows === undefined ? fixed(x.type, shape) : withRows(x.type, shape, rows);

const unknownShape = ({ rows, shape }: Tensor): boolean => rows === undefined && shape === undefined;

const concat: Rule = (call) => {
  const parts = call.inputs.filter((tensor) => tensor !== undefined);
  const given = intOf(call, "axis") ?? (call.opset < 4 ? 1 : refuse("it has no axis"));
  const first = parts.find(({ rows }) => rows !== undefined) ?? input(call, 0);
  if (parts.every(unknownShape) || (first.rows === undefined && parts.some(unknownShape))) {
    return [fixed(first.type, undefined)];
  }
  const shapes = parts.map(shapeOf);
  const rank = shapeOf(first).length;
  const axis = axisIn(given, rank);
  if (first.rows?.axis === axis) refuse("it appends along the batch");
  for (const part of parts) {
    if (first.rows === undefined) break;
    if (part.rows === undefined)
      refuse("it joins a tensor that is the same for all requests to each batch, which then has one size");
    else if (part.rows.axis !== first.rows.axis || !sameRows(part.rows, first.rows))
      refuse("it joins rows that lie along different axes");
  }
  let joined: Term | undefined = constant(0);
  for (const shape of shapes) joined = joined && call.symbols.plus(joined, shape[axis] ?? ONE);
  const size = joined ?? refuse("it appends along the batch");
  const shape = shapeOf(first).map((own, at) => (at === axis ? size : own));
  return [like(first, shape, first.rows)];
};

const split: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  const count = call.node.outputs.length;
  if (unknownShape(x)) return Array.from({ length: count }, () => fixed(x.type, undefined));
  const shape = shapeOf(x);
  const axis = axisIn(intOf(call, "axis") ?? 0, shape.length);
  if (x.rows?.axis === axis) refuse("it splits the batch");
  const lengths = call.inputs[1]?.data ?? intsOf(call, "split")?.map(constant);
  const whole = shape[axis] ?? ONE;
  return Array.from({ length: count }, (_, i) => {
    const even = isConstant(whole) && Number.isInteger(whole.c / count) ? constant(whole.c / count) : undefined;
    const own = lengths === undefined ? even : lengths[i];
    return like(
      x,
      shape.map((size, at) => (at === axis ? (own ?? call.symbols.fresh()) : size)),
      x.rows,
    );
  });
};

const INT_MAX = 2 ** 31 - 1;

/** What one axis is cut to. */
const cut = (
  call: Call,
  size: Term,
  start: Term | undefined,
  end: Term | undefined,
  step: number | undefined,
): Term => {
  if (
    step === 1 &&
    isNumber(start, 0) &&
    end !== undefined &&
    (equal(end, size) || (isConstant(end) && end.c >= INT_MAX))
  ) {
    return size;
  }
  if ((start && isSized(start)) || (end && isSized(end))) refuse("it cuts by the number of rows in the batch");
  if (start && end && step !== undefined && step !== 0 && [size, start, end].every(isConstant)) {
    const clamp = (at: number, least: number, most: number): number =>
      Math.min(Math.max(at < 0 ? at + size.c : at, least), most);
    const from = step > 0 ? clamp(start.c, 0, size.c) : clamp(start.c, 0, size.c - 1);
    const to = step > 0 ? clamp(end.c, 0, size.c) : end.c < -size.c ? -1 : clamp(end.c, -1, size.c - 1);
    return constant(Math.max(0, Math.ceil((to - from) / step)));
  }
  return call.symbols.fresh();
};

const slice: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  const starts = call.inputs[1]?.data ?? intsOf(call, "starts")?.map(constant);
  const ends = call.inputs[2]?.data ?? intsOf(call, "ends")?.map(constant);
  const count = starts?.length ?? ends?.length ?? lengthOfList(call.inputs[1]);
  const axes = axesOf(call, 3) ?? (count === undefined ? undefined : Array.from({ length: count }, (_, i) => i));
  if (unknownShape(x) || (axes === undefined && x.rows === undefined)) return [fixed(x.type, undefined)];
  if (axes === undefined) return refuse("which axes it cuts is not known before the run");
  const steps = call.inputs[4] === undefined ? axes.map(() => 1) : numbersIn(call.inputs[4]);
  const sizes = shapeOf(x).slice();
  for (const [i, given] of axes.entries()) {
    const axis = axisIn(given, sizes.length);
    const size = sizes[axis] ?? ONE;
    const left = cut(call, size, starts?.[i], ends?.[i], steps?.[i]);
    if (x.rows?.axis === axis && !equal(left, size)) refuse("it cuts the batch");
    sizes[axis] = left;
  }
  return [like(x, sizes, x.rows)];
};
const lengthOfList = (tensor: Tensor | undefined): number | undefined => {
  const [size] = tensor?.shape ?? [];
  return size !== undefined && isConstant(size) ? size.c : undefined;
};

const pad: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  const pads = call.inputs[1]?.data ?? (intsOf(call, "pads") ?? intsOf(call, "paddings"))?.map(constant);
  if (unknownShape(x)) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  const axes = (axesOf(call, 3) ?? shape.map((_, i) => i)).map((axis) => axisIn(axis, shape.length));
  const wider = shape.map((size, axis) => {
    const at = axes.indexOf(axis);
    if (at < 0) return size;
    const [before, after] = [pads?.[at], pads?.[at + axes.length]];
    if (isNumber(before, 0) && isNumber(after, 0)) return size;
    if (axis === x.rows?.axis)
      refuse(pads === undefined ? "by how much it pads is not known before the run" : "it pads the batch");
    const all = before && after && call.symbols.plus(before, after);
    const sum = all && call.symbols.plus(size, all);
    return sum && isSize(sum) ? sum : call.symbols.fresh();
  });
  return [like(x, wider, x.rows)];
};

const gather: Rule = (call) => {
  const x = input(call, 0);
  const indices = input(call, 1);
  if (unknownShape(x) && indices.rows === undefined) return [fixed(x.type, undefined)];
  if (unknownShape(indices) && x.rows === undefined) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  const axis = axisIn(intOf(call, "axis") ?? 0, shape.length);
  const picked = shapeOf(indices);
  const result = [...shape.slice(0, axis), ...picked, ...shape.slice(axis + 1)];
  if (x.rows !== undefined && indices.rows !== undefined) refuse("it picks with each row's indices from all rows");
  if (x.rows?.axis === axis) refuse("it picks rows of the batch");
  if (x.rows !== undefined) {
    const moved = x.rows.axis < axis ? x.rows.axis : x.rows.axis - 1 + picked.length;
    return [withRows(x.type, result, { ...x.rows, axis: moved })];
  }
  return [like(x, result, indices.rows && { ...indices.rows, axis: axis + indices.rows.axis })];
};

/** Picks along one axis, each result from its own place on the others. */
const gatherElements: Rule = (call) => {
  const x = input(call, 0);
  const indices = input(call, 1);
  if (x.rows === undefined && indices.rows === undefined) return [fixed(x.type, indices.shape)];
  const shape = shapeOf(indices);
  const axis = axisIn(intOf(call, "axis") ?? 0, shape.length);
  if (x.rows === undefined) {
    if (indices.rows?.axis !== axis) refuse("rows pick from a tensor by their place in the batch");
    return [like(x, shape, indices.rows)];
  }
  if (indices.rows === undefined) return refuse("the same indices pick from the first rows only");
  alongside(x, indices, axis, "picks");
  return [withRows(x.type, shape, indices.rows)];
};

const alongside = (x: Tensor, other: Tensor, axis: number, does: string): void => {
  const [own, others] = [x.rows, other.rows];
  if (own === undefined || others === undefined) refuse(`it ${does} where one side has rows and the other has none`);
  else if (own.axis !== others.axis || !sameRows(own, others)) refuse(`it ${does} across rows`);
  else if (own.axis === axis) refuse(`it ${does} along the batch`);
};

const scatterElements: Rule = (call) => {
  const x = input(call, 0);
  const indices = input(call, 1);
  const updates = input(call, 2);
  if ([x, indices, updates].every(({ rows }) => rows === undefined)) return [fixed(x.type, x.shape)];
  const axis = axisIn(intOf(call, "axis") ?? 0, shapeOf(x).length);
  alongside(x, indices, axis, "writes");
  alongside(x, updates, axis, "writes");
  return [{ ...x, data: undefined }];
};

const gatherNd: Rule = (call) => {
  const x = input(call, 0);
  const indices = input(call, 1);
  const shared = intOf(call, "batch_dims") ?? 0;
  if (x.rows === undefined && (unknownShape(x) || unknownShape(indices))) return [fixed(x.type, undefined)];
  const places = shapeOf(indices);
  const shape = shapeOf(x);
  const last = places.at(-1);
  if (last === undefined || !isConstant(last)) return refuse("how many axes it picks from is not known");
  const result = [...places.slice(0, -1), ...shape.slice(shared + last.c)];
  if (indices.rows !== undefined && indices.rows.axis === places.length - 1)
    refuse("its indices are put together of several rows");
  if (x.rows === undefined && indices.rows === undefined) return [fixed(x.type, result)];
  if (x.rows !== undefined) {
    if (x.rows.axis >= shared) refuse("it picks from all rows");
    alongside(x, indices, -1, "picks");
  } else if ((indices.rows?.axis ?? 0) < shared) refuse("rows pick from a tensor by their place in the batch");
  return [like(x, result, indices.rows)];
};

const shapeKept =
  (last: number): Rule =>
  (call) => {
    const x = input(call, 0);
    mustBeFixed(call, 1);
    if (x.rows !== undefined && x.rows.axis >= shapeOf(x).length - last)
      refuse("it works on matrices, and the batch is one of their axes");
    return [{ ...x, data: undefined }];
  };

const compress: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  const given = intOf(call, "axis");
  if (unknownShape(x)) return [fixed(x.type, undefined)];
  if (given === undefined) {
    if (x.rows !== undefined) refuse("it picks from all rows");
    return [fixed(x.type, [call.symbols.fresh()])];
  }
  const axis = axisIn(given, shapeOf(x).length);
  if (axis === x.rows?.axis) refuse("it picks rows of the batch");
  return [like(x, shapeOf(x).with(axis, call.symbols.fresh()), x.rows)];
};

const reverseSequence: Rule = (call) => {
  const x = input(call, 0);
  const lengths = input(call, 1);
  if (x.rows === undefined && lengths.rows === undefined) return [{ ...x, data: undefined }];
  const axis = intOf(call, "batch_axis") ?? 1;
  if (x.rows?.axis !== axis || lengths.rows?.axis !== 0 || !sameRows(x.rows, lengths.rows)) {
    refuse("it reverses sequences by lengths that are not those of the rows");
  }
  return [{ ...x, data: undefined }];
};

const oneHot: Rule = (call) => {
  const indices = input(call, 0);
  mustBeFixed(call, 1);
  const type = call.inputs[2]?.type ?? 0;
  if (unknownShape(indices)) return [fixed(type, undefined)];
  const shape = shapeOf(indices);
  const axis = axisIn(intOf(call, "axis") ?? -1, shape.length + 1);
  const [depth] = call.inputs[1]?.data ?? [];
  const result = shape.toSpliced(axis, 0, depth && isSize(depth) ? depth : call.symbols.fresh());
  const { rows } = indices;
  return [
    rows === undefined
      ? fixed(type, result)
      : withRows(type, result, { ...rows, axis: rows.axis >= axis ? rows.axis + 1 : rows.axis }),
  ];
};

const range: Rule = (call) => {
  mustBeFixed(call, 0);
  const [start, limit, delta] = [0, 1, 2].map((at) => call.inputs[at]?.data?.[0]);
  const type = call.inputs[0]?.type ?? 0;
  if (start && limit && delta && [start, limit, delta].every(isConstant) && delta.c !== 0) {
    const count = Math.max(0, Math.ceil((limit.c - start.c) / delta.c));
    const isFollowed = count <= 256 && Number.isInteger(start.c) && Number.isInteger(delta.c);
    const data = isFollowed ? Array.from({ length: count }, (_, i) => constant(start.c + i * delta.c)) : undefined;
    return [fixed(type, [constant(count)], data)];
  }
  if ((type === 6 || type === 7) && isNumber(start, 0) && isNumber(delta, 1) && limit !== undefined && isSize(limit))
    return [fixed(type, [limit])];
  return [fixed(type, [call.symbols.fresh()])];
};

/** Writes into places that indices name: among all rows. */
const onlyFixed =
  (reason: string): Rule =>
  (call) => {
    const x = input(call, 0);
    if (call.inputs.some((tensor) => tensor?.rows !== undefined)) refuse(reason);
    return [fixed(x.type, x.shape)];
  };

export const PLACE_RULES: Readonly<Record<string, Rule>> = {
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  ScatterND: onlyFixed("it writes to places among all rows"),
  Trilu: shapeKept(2),
  Compress: compress,
  ReverseSequence: reverseSequence,
  OneHot: oneHot,
  Range: range,
};
