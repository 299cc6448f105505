/** Operators that bring an axis together: all of them keep rows apart only where that axis is not the batch. */
import { broadcastOnto } from "../broadcast.ts";
import { axesOf, axisIn, type Call, input, intOf, mustBeFixed, numbersIn, type Rule, shapeOf } from "../call.ts";
import { constant, isSize, ONE, type Term } from "../terms.ts";
import { fixed, type Rows, refuse, type Tensor, withRows } from "../values.ts";

const like = (x: Tensor, shape: readonly Term[] | undefined, rows: Rows | undefined, type = x.type): Tensor =>
  rows === undefined || shape === undefined ? fixed(type, shape) : withRows(type, shape, rows);

/** `shape` without the axes `gone`, or with 1 in their place. */
const without = (x: Tensor, gone: ReadonlySet<number>, keep: boolean, type = x.type): Tensor => {
  const shape = shapeOf(x);
  if (keep) {
    return like(
      x,
      shape.map((size, at) => (gone.has(at) ? ONE : size)),
      x.rows,
      type,
    );
  }
  const before = (axis: number): number => [...gone].filter((at) => at < axis).length;
  return like(
    x,
    shape.filter((_, at) => !gone.has(at)),
    x.rows && { ...x.rows, axis: x.rows.axis - before(x.rows.axis) },
    type,
  );
};

/** `since`: the version that takes the axes as an input. */
const reduce =
  (since: number): Rule =>
  (call) => {
    const x = input(call, 0);
    mustBeFixed(call, 1);
    const keep = (intOf(call, "keepdims") ?? 1) !== 0;
    if (x.rows === undefined && x.shape === undefined) return [fixed(x.type, undefined)];
    const rank = shapeOf(x).length;
    const unknown = call.opset >= since && call.inputs[1] !== undefined && numbersIn(call.inputs[1]) === undefined;
    if (unknown && x.rows === undefined) return [fixed(x.type, undefined)];
    const axes = axesOf(call, call.opset >= since ? 1 : -1);
    if (axes === undefined || axes.length === 0) {
      if (intOf(call, "noop_with_empty_axes") === 1) return [{ ...x, data: undefined }];
      if (x.rows !== undefined) refuse("it reduces all axes, the batch among them");
    }
    const all = axes?.length ? axes : Array.from({ length: rank }, (_, i) => i);
    const gone = new Set(all.map((axis) => axisIn(axis, rank)));
    if (x.rows !== undefined && gone.has(x.rows.axis)) refuse("it reduces the axis of the batch");
    return [without(x, gone, keep)];
  };

/** Before version 13 all axes from `axis` on are one. */
const softmax =
  (coerced: boolean): Rule =>
  (call) => {
    const x = input(call, 0);
    if (x.rows === undefined) return [fixed(x.type, x.shape)];
    const rank = shapeOf(x).length;
    const flat = coerced && call.opset < 13;
    const axis = axisIn(intOf(call, "axis") ?? (flat ? 1 : -1), Math.max(rank, flat ? 2 : 1));
    const own = x.rows.axis;
    if (flat ? own >= axis : own === axis) refuse("it normalises over the batch");
    return [{ ...x, data: undefined }];
  };

/** One axis, named by an attribute, that must not be the batch. */
const along =
  (usual: number, does: string): Rule =>
  (call) => {
    const x = input(call, 0);
    mustBeFixed(call, 1);
    const axis = intOf(call, "axis") ?? usual;
    if (x.rows !== undefined && axisIn(axis, shapeOf(x).length) === x.rows.axis) refuse(`it ${does} along the batch`);
    return [{ ...x, data: undefined }];
  };

const argument: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined && x.shape === undefined) return [fixed(7, undefined)];
  const axis = axisIn(intOf(call, "axis") ?? 0, shapeOf(x).length);
  if (axis === x.rows?.axis) refuse("it compares the rows of the batch");
  return [without(x, new Set([axis]), (intOf(call, "keepdims") ?? 1) !== 0, 7)];
};

const topK: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  if (x.rows === undefined && x.shape === undefined) return [fixed(x.type, undefined), fixed(7, undefined)];
  const shape = shapeOf(x);
  const axis = axisIn(intOf(call, "axis") ?? -1, shape.length);
  if (axis === x.rows?.axis) refuse("it sorts the rows of the batch");
  const given = call.inputs[1]?.data?.[0];
  const attribute = intOf(call, "k");
  const k = given ?? (attribute === undefined ? undefined : constant(attribute));
  const kept = shape.with(axis, k && isSize(k) ? k : call.symbols.fresh());
  return [like(x, kept, x.rows), like(x, kept, x.rows, 7)];
};

const cumulative: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  if (x.rows === undefined) return [fixed(x.type, x.shape)];
  const [axis] = numbersIn(call.inputs[1]) ?? [];
  if (axis === undefined) return refuse("the axis that it sums along is not known before the run");
  if (axisIn(axis, shapeOf(x).length) === x.rows.axis) refuse("it sums along the batch");
  return [{ ...x, data: undefined }];
};

/** All axes from `axis` on are normalised together; scale and bias are laid over them. */
export const layerNormalization = (call: Call, usual: number, fixedFrom = 1): readonly Tensor[] => {
  const x = input(call, 0);
  mustBeFixed(call, fixedFrom);
  if (x.rows === undefined) return call.node.outputs.map((_, i) => fixed(x.type, i === 0 ? x.shape : undefined));
  const shape = shapeOf(x);
  const axis = axisIn(intOf(call, "axis") ?? usual, shape.length);
  if (x.rows.axis >= axis) refuse("it normalises over the batch");
  broadcastOnto(call.symbols, x, call.inputs.slice(fixedFrom));
  const statistics = shape.map((size, at) => (at < axis ? size : ONE));
  return call.node.outputs.map((_, i) => like(x, i === 0 ? shape : statistics, x.rows));
};

const meanVariance: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined) return [fixed(x.type, x.shape)];
  const axes = axesOf(call, -1) ?? [0, 2, 3];
  if (axes.some((axis) => axisIn(axis, shapeOf(x).length) === x.rows?.axis)) refuse("it normalises over the batch");
  return [{ ...x, data: undefined }];
};

/** Transforms along one axis change its length. */
const transform: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  if (x.rows === undefined) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  const [given] =
    call.opset >= 20
      ? (numbersIn(call.inputs[2]) ?? [call.inputs[2] === undefined ? -2 : undefined])
      : [intOf(call, "axis") ?? 1];
  if (given === undefined) return refuse("its axis is not known before the run");
  const axis = axisIn(given, shape.length);
  if (axis === x.rows.axis || x.rows.axis === shape.length - 1) refuse("it transforms along the batch");
  return [
    like(
      x,
      shape.map((size, at) => (at === x.rows?.axis ? size : call.symbols.fresh())),
      x.rows,
    ),
  ];
};

/** Of signals [batch, length, 1]. */
const shortTransform: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  if (x.rows === undefined) return [fixed(x.type, undefined)];
  if (x.rows.axis !== 0) refuse("it transforms along the batch");
  return [like(x, [shapeOf(x)[0] ?? ONE, call.symbols.fresh(), call.symbols.fresh(), constant(2)], x.rows)];
};

const determinant: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  if (x.rows.axis >= shape.length - 2) refuse("it works on matrices, and the batch is one of their axes");
  return [like(x, shape.slice(0, -2), x.rows)];
};

const reductions = (names: readonly string[], since: number): Record<string, Rule> =>
  Object.fromEntries(names.map((name) => [name, reduce(since)]));

export const REDUCTION_RULES: Readonly<Record<string, Rule>> = {
  ...reductions(["ReduceSum"], 13),
  ...reductions(
    [
      "ReduceMax",
      "ReduceMin",
      "ReduceMean",
      "ReduceProd",
      "ReduceL1",
      "ReduceL2",
      "ReduceLogSum",
      "ReduceLogSumExp",
      "ReduceSumSquare",
    ],
    18,
  ),
  Softmax: softmax(true),
  LogSoftmax: softmax(true),
  Hardmax: softmax(true),
  LpNormalization: along(-1, "normalises"),
  ArgMax: argument,
  ArgMin: argument,
  TopK: topK,
  CumSum: cumulative,
  CumProd: cumulative,
  LayerNormalization: (call) => layerNormalization(call, -1),
  SimplifiedLayerNormalization: (call) => layerNormalization(call, -1),
  RMSNormalization: (call) => layerNormalization(call, -1),
  MeanVarianceNormalization: meanVariance,
  DFT: transform,
  STFT: shortTransform,
  Det: determinant,
};
