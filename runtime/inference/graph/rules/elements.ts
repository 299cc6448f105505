/** Operators that compute each element from those in the same place, and what says something of a whole tensor. */
import { broadcastOnto, elementwise } from "../broadcast.ts";
import { axisIn, input, intOf, mustBeFixed, type Rule, shapeOf, tensorOf } from "../call.ts";
import { constant, isNumber, product } from "../terms.ts";
import { fixed, refuse, type Tensor, withRows } from "../values.ts";
import { product as matrixProduct } from "./products.ts";

const BOOL = 9;
const INT64 = 7;

/** Further inputs are parameters, one for all rows. */
const pointwise =
  (type?: number): Rule =>
  (call) => {
    mustBeFixed(call, 1);
    const x = input(call, 0);
    return [{ ...x, type: type ?? x.type, data: undefined }];
  };

/** Minimum and maximum are one number each. */
const clip: Rule = pointwise();

const cast: Rule = (call) => {
  const x = input(call, 0);
  return [{ ...x, type: intOf(call, "to") ?? refuse("it names no type"), data: undefined }];
};

const castLike: Rule = (call) => [{ ...input(call, 0), type: input(call, 1).type, data: undefined }];

const where: Rule = (call) => elementwise(call.inputs[1]?.type ?? 0)(call);

/** In inference it changes nothing. */
const dropout: Rule = (call) => {
  const training = call.inputs[2];
  const off = training === undefined || (training.data?.length === 1 && isNumber(training.data[0], 0));
  if (!off) refuse("it may drop elements at random; export the model for inference");
  const x = input(call, 0);
  return call.node.outputs.map((_, i) => (i === 0 ? { ...x, data: undefined } : { ...x, type: BOOL, data: undefined }));
};

const shape: Rule = (call) => {
  const x = input(call, 0);
  const { shape: sizes } = x;
  if (sizes === undefined) return [fixed(INT64, [call.symbols.fresh()])];
  const clamp = (at: number): number => Math.min(Math.max(at < 0 ? at + sizes.length : at, 0), sizes.length);
  const part = sizes.slice(clamp(intOf(call, "start") ?? 0), clamp(intOf(call, "end") ?? sizes.length));
  return [fixed(INT64, [constant(part.length)], part)];
};

const size: Rule = (call) => {
  const { shape: sizes } = input(call, 0);
  const all = sizes && product(call.symbols, sizes);
  if (sizes !== undefined && all === undefined) refuse("it counts elements of several batches");
  return [fixed(INT64, [], [all ?? call.symbols.fresh()])];
};

const constantNode: Rule = (call) => {
  const value = tensorOf(call, "value");
  if (value !== undefined) {
    return [fixed(value.type, value.dims.map(constant), value.values?.map(constant))];
  }
  const [name, attribute] = [...call.node.attributes][0] ?? [];
  if (attribute?.kind === "int" || attribute?.kind === "float") {
    return [fixed(name === "value_int" ? INT64 : 1, [], [constant(attribute.value)])];
  }
  if (attribute?.kind === "ints" || attribute?.kind === "floats") {
    const type = attribute.kind === "ints" ? INT64 : 1;
    return [fixed(type, [constant(attribute.length)], attribute.values?.map(constant))];
  }
  return [fixed(0, attribute?.kind === "string" ? [] : undefined)];
};

const isEmpty = ({ shape: sizes }: Tensor): boolean => sizes?.some((one) => isNumber(one, 0)) ?? false;

/** @param operands are laid over the first input, and may have rows */
const onFirst =
  (...operands: readonly number[]): Rule =>
  (call) => {
    const x = input(call, 0);
    for (let at = 1; at < call.inputs.length; at++) if (!operands.includes(at)) mustBeFixed(call, at, at + 1);
    const others = operands.map((at) => call.inputs[at]).filter((tensor) => tensor !== undefined && !isEmpty(tensor));
    broadcastOnto(call.symbols, x, others);
    return [{ ...x, data: undefined }];
  };

const cdist: Rule = (call) => {
  const [a, b] = [input(call, 0), input(call, 1)];
  if (a.rows === undefined && b.rows === undefined) return [fixed(a.type, undefined)];
  // the second transposed is what a product would take
  const [n, k] = shapeOf(b);
  if (n === undefined || k === undefined || shapeOf(a).length !== 2) return refuse("its inputs are no tables");
  const turned =
    b.rows === undefined ? fixed(b.type, [k, n]) : withRows(b.type, [k, n], { ...b.rows, axis: 1 - b.rows.axis });
  return [matrixProduct(call, a, turned)];
};

const gemmFastGelu: Rule = (call) => {
  mustBeFixed(call, 2);
  return [matrixProduct(call, input(call, 0), input(call, 1))];
};

/** Onto the axis that rows have besides the batch; nothing of a new one. */
const expandDims: Rule = (call) => {
  const x = input(call, 0);
  const [at] = call.inputs[1]?.data ?? [];
  if (x.rows === undefined || at === undefined)
    return [x.rows === undefined ? fixed(x.type, undefined) : refuse("its axis is not known")];
  const axis = axisIn(at.c, shapeOf(x).length + 1);
  const { rows } = x;
  return [
    withRows(x.type, shapeOf(x).toSpliced(axis, 0, constant(1)), {
      ...rows,
      axis: rows.axis >= axis ? rows.axis + 1 : rows.axis,
    }),
  ];
};

const all = (names: string, rule: Rule): Record<string, Rule> =>
  Object.fromEntries(names.split(" ").map((name) => [name, rule]));

export const ELEMENT_RULES: Readonly<Record<string, Rule>> = {
  ...all(
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Affine ImageScaler ParametricSoftplus ScaledTanh QuickGelu",
    pointwise(),
  ),
  ...all("IsInf IsNaN RegexFullMatch", pointwise(BOOL)),
  ...all(
    "Add Sub Mul Div Pow Mod And Or Xor BitShift BitwiseAnd BitwiseOr BitwiseXor Max Min Mean Sum PRelu StringConcat",
    elementwise(),
  ),
  ...all("Equal Greater Less GreaterOrEqual LessOrEqual", elementwise(BOOL)),
  Clip: clip,
  Cast: cast,
  CastLike: castLike,
  Where: where,
  Dropout: dropout,
  Shape: shape,
  Size: size,
  Constant: constantNode,
};

export const MICROSOFT_ELEMENT_RULES: Readonly<Record<string, Rule>> = {
  ...all("Gelu QuickGelu", pointwise()),
  ...all("BiasGelu BiasAdd", onFirst(1, 2)),
  FastGelu: onFirst(1),
  BiasSplitGelu: (call) => {
    const x = input(call, 0);
    mustBeFixed(call, 1);
    if (x.rows === undefined) return [fixed(x.type, undefined)];
    if (x.rows.axis === shapeOf(x).length - 1) refuse("it works along the batch");
    return [withRows(x.type, shapeOf(x).with(-1, call.symbols.fresh()), x.rows)];
  },
  Inverse: (call) => {
    const x = input(call, 0);
    if (x.rows !== undefined && x.rows.axis >= shapeOf(x).length - 2)
      refuse("it works on matrices, and the batch is one of their axes");
    return [{ ...x, data: undefined }];
  },
  CDist: cdist,
  GemmFastGelu: gemmFastGelu,
  ExpandDims: expandDims,
  MurmurHash3: pointwise(0),
};
