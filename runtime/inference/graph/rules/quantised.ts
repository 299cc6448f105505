/** Quantised operators whose scales hold for all rows; what takes its scale from the run is refused. */
import { broadcast, elementwise } from "../broadcast.ts";
import { axisIn, type Call, input, intOf, mustBeFixed, type Rule, shapeOf } from "../call.ts";
import { isNumber } from "../terms.ts";
import { fixed, refuse, type Tensor, withRows } from "../values.ts";
import { product } from "./products.ts";
import { globalPooling, imagewise } from "./windows.ts";

const isSingle = (tensor: Tensor): boolean => tensor.shape?.every((size) => isNumber(size, 1)) ?? false;

/** One scale, or one for each place along an axis that is not the batch. */
const scaled =
  (type: (call: Call) => number): Rule =>
  (call) => {
    const x = input(call, 0);
    mustBeFixed(call, 1);
    if (x.rows === undefined) return [fixed(type(call), x.shape)];
    const scale = input(call, 1);
    if (!isSingle(scale)) {
      if (scale.shape === undefined || scale.shape.length !== 1) refuse("its scales are in blocks");
      if (axisIn(intOf(call, "axis") ?? 1, shapeOf(x).length) === x.rows.axis)
        refuse("it has a scale for each row of one batch size");
    }
    return [withRows(type(call), shapeOf(x), x.rows)];
  };

const quantised = (call: Call): number => call.inputs[2]?.type ?? intOf(call, "output_dtype") ?? 2;

const productOf =
  (one: number, other: number, type?: (call: Call) => number): Rule =>
  (call) => {
    for (let at = 0; at < call.inputs.length; at++) if (at !== one && at !== other) mustBeFixed(call, at, at + 1);
    const [a, b] = [input(call, one), input(call, other)];
    const result = product(call, a, b, type?.(call) ?? a.type);
    if (result.rows === undefined) return [result];
    // a scale or zero point for each row of a matrix would be one for each row of the batch
    for (const [side, from] of [
      [a, one],
      [b, other],
    ] as const) {
      if (side.rows === undefined) continue;
      for (let at = 0; at < call.inputs.length; at++) {
        const tensor = call.inputs[at];
        if (at === one || at === other || tensor === undefined || isSingle(tensor)) continue;
        if (from === one && side.rows.axis === shapeOf(side).length - 2 && shapeOf(tensor).length > 1)
          refuse("it has a scale for each row of one batch size");
        if (from === other) refuse("it has a scale for each row of one batch size");
      }
    }
    return [result];
  };

/** Bare operands among scales and zero points. */
const operands =
  (places: readonly number[]): Rule =>
  (call) => {
    for (let at = 0; at < call.inputs.length; at++) if (!places.includes(at)) mustBeFixed(call, at, at + 1);
    return elementwise()({ ...call, inputs: places.map((at) => call.inputs[at]) });
  };

const concat =
  (join: Rule): Rule =>
  (call) => {
    const places = Array.from({ length: Math.floor((call.inputs.length - 2) / 3) }, (_, i) => 2 + 3 * i);
    for (let at = 0; at < call.inputs.length; at++) if (!places.includes(at)) mustBeFixed(call, at, at + 1);
    return join({ ...call, inputs: places.map((at) => call.inputs[at]) });
  };

const softmax: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  if (x.rows === undefined) return [fixed(x.type, x.shape)];
  const axis = axisIn(intOf(call, "axis") ?? -1, shapeOf(x).length);
  // versions before 13 take all axes from this one on for one
  if (x.rows.axis >= axis) refuse("it normalises over the batch");
  return [{ ...x, data: undefined }];
};

const gemm: Rule = (call) => {
  const swap = (x: Tensor, on: boolean): Tensor => {
    if (!on) return x;
    const [m, n] = shapeOf(x);
    if (m === undefined || n === undefined) return refuse("its inputs are no matrices");
    return x.rows === undefined
      ? fixed(x.type, [n, m])
      : withRows(x.type, [n, m], { ...x.rows, axis: 1 - x.rows.axis });
  };
  for (let at = 0; at < call.inputs.length; at++) if (at !== 0) mustBeFixed(call, at, at + 1);
  const a = swap(input(call, 0), intOf(call, "transA") === 1);
  if (a.rows === undefined && input(call, 3).shape === undefined) return [fixed(0, undefined)];
  const result = product(call, a, swap(input(call, 3), intOf(call, "transB") === 1), call.inputs[8]?.type ?? 1);
  const c = call.inputs[6];
  if (c !== undefined) broadcast(call.symbols, [result, c]);
  return [result];
};

/** Rows times packed weights: [.., K] → [.., N]. */
const packed: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  const width = intOf(call, "N");
  const shape = x.shape && [
    ...x.shape.slice(0, -1),
    width === undefined ? call.symbols.fresh() : { c: width, n: 0, symbols: [] },
  ];
  if (x.rows === undefined || shape === undefined) return [fixed(x.type, shape)];
  if (x.rows.axis === shape.length - 1) refuse("it sums over the batch");
  return [withRows(x.type, shape, x.rows)];
};

const WHOLE_RUN =
  "its scale is that of the whole run, so that a request changes the answers of others; quantise with fixed scales (quantize_static), or only the weights";

export const dynamic: Rule = (call) => {
  if (call.inputs.some((tensor) => tensor?.rows !== undefined)) refuse(WHOLE_RUN);
  return call.node.outputs.map(() => fixed(0, undefined));
};

const pointwise: Rule = (call) => {
  mustBeFixed(call, 1);
  const x = input(call, 0);
  return [{ ...x, data: undefined }];
};

export const QUANTISED_RULES: Readonly<Record<string, Rule>> = {
  QuantizeLinear: scaled(quantised),
  DequantizeLinear: scaled((call) => call.inputs[1]?.type ?? 1),
  QLinearMatMul: productOf(0, 3),
  MatMulInteger: productOf(0, 1, () => 6),
  DynamicQuantizeLinear: dynamic,
};

export const microsoftQuantised = (join: Rule): Readonly<Record<string, Rule>> => ({
  QuantizeLinear: scaled(quantised),
  DequantizeLinear: scaled((call) => call.inputs[1]?.type ?? 1),
  MatMulInteger16: productOf(0, 1, () => 6),
  MatMulIntegerToFloat: productOf(0, 1, (call) => call.inputs[2]?.type ?? 1),
  QGemm: gemm,
  QLinearAdd: operands([0, 3]),
  QLinearMul: operands([0, 3]),
  QLinearWhere: operands([0, 1, 4]),
  QLinearSigmoid: pointwise,
  QLinearLeakyRelu: pointwise,
  QLinearConcat: concat(join),
  QLinearSoftmax: softmax,
  QLinearAveragePool: imagewise(),
  QLinearGlobalAveragePool: (call) => (intOf(call, "channels_last") === 1 ? imagewise()(call) : globalPooling(call)),
  MatMulNBits: packed,
  MatMulBnb4: packed,
  DynamicQuantizeMatMul: dynamic,
  DynamicQuantizeLSTM: dynamic,
});
