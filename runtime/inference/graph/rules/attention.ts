/** Attention: each row attends to itself. The batch is the first axis of all but `past` and `present`. */
import { broadcastOnto } from "../broadcast.ts";
import { type Call, input, intOf, mustBeFixed, type Rule, shapeOf } from "../call.ts";
import { equal, isNumber, ONE, type Term } from "../terms.ts";
import { fixed, refuse, type Tensor, withRows } from "../values.ts";
import { layerNormalization } from "./reductions.ts";

const SINGLE = { outer: ONE, inner: ONE };

/** Inputs whose axis `axis` is the batch, one row each; those that are left out are fine. */
const batchAt = (call: Call, axis: number, ...places: readonly number[]): void => {
  for (const at of places) {
    const tensor = call.inputs[at];
    if (tensor === undefined || tensor.shape?.some((size) => isNumber(size, 0))) continue;
    const { rows } = tensor;
    if (rows?.axis !== axis || !equal(rows.outer, ONE) || !equal(rows.inner, ONE)) {
      refuse(`the batch is not axis ${axis} of its input ${at + 1}`);
    }
  }
};

/** A bias that has rows, or one that is the same for all and has 1 where the batch is. */
const biasAt = (call: Call, rank: number, ...places: readonly number[]): void => {
  for (const at of places) {
    const tensor = call.inputs[at];
    if (tensor === undefined) continue;
    const shape = shapeOf(tensor);
    const first = rank - shape.length;
    if (tensor.rows === undefined ? first === 0 && !isNumber(shape[0], 1) : tensor.rows.axis + first !== 0) {
      refuse(`the batch is not the first axis of its input ${at + 1}`);
    }
  }
};

const first = (type: number, shape: readonly Term[]): Tensor => withRows(type, shape, { axis: 0, ...SINGLE });

/** `states`: axis of the batch in the outputs after the first; their other sizes are of no interest. */
const results = (call: Call, x: Tensor, rank: number, states: { axis: number; rank: number }): readonly Tensor[] => {
  const batch = shapeOf(x)[0] ?? ONE;
  const own = shapeOf(x);
  const sizes = Array.from({ length: rank }, (_, axis) =>
    axis === 0 ? batch : axis === 1 ? (own[1] ?? ONE) : call.symbols.fresh(),
  );
  return call.node.outputs.map((_, i) => {
    if (i === 0) return first(x.type, sizes);
    const shape = Array.from({ length: states.rank }, (_, axis) =>
      axis === states.axis ? batch : call.symbols.fresh(),
    );
    return withRows(x.type, shape, { axis: states.axis, ...SINGLE });
  });
};

type Roles = {
  rows: readonly number[];
  /** The batch is their second axis. */
  past?: readonly number[];
  /** Laid over [batch, heads, queries, keys]. */
  bias?: readonly number[];
  states?: { axis: number; rank: number };
};

/** All inputs that are not named are weights and numbers, which must be the same for all rows. */
const attention =
  ({ rows, past = [], bias = [], states = { axis: 0, rank: 4 } }: Roles): Rule =>
  (call) => {
    const x = input(call, 0);
    const named = new Set([...rows, ...past, ...bias]);
    for (let at = 0; at < call.inputs.length; at++) if (!named.has(at)) mustBeFixed(call, at, at + 1);
    if (call.inputs.every((tensor) => tensor?.rows === undefined))
      return call.node.outputs.map(() => fixed(x.type, undefined));
    batchAt(call, 0, ...rows);
    batchAt(call, 1, ...past);
    biasAt(call, 4, ...bias);
    // packed ones have one query of their own rank; those of three axes and four are given back as they come
    const rank = shapeOf(x).length;
    return results(call, x, rank === 4 && call.node.domain === "" ? 4 : 3, states);
  };

/** The same shape and rows as the first input. */
const onFirst =
  (rows: readonly number[], alone: readonly number[] = []): Rule =>
  (call) => {
    const x = input(call, 0);
    for (let at = 1; at < call.inputs.length; at++) if (!rows.includes(at)) mustBeFixed(call, at, at + 1);
    if (x.rows === undefined) {
      mustBeFixed(call, 0);
      return [fixed(x.type, x.shape)];
    }
    batchAt(call, 0, 0);
    for (const at of rows) {
      const tensor = call.inputs[at];
      // one number counts the places of all rows from there on
      if (
        tensor?.rows === undefined &&
        alone.includes(at) &&
        tensor?.shape?.every((size) => isNumber(size, 1)) &&
        tensor.shape.length < 2
      )
        continue;
      batchAt(call, 0, at);
    }
    return [{ ...x, data: undefined }];
  };

const skipNormalization: Rule = (call) => {
  const x = input(call, 0);
  const skip = input(call, 1);
  if (x.rows === undefined && skip.rows !== undefined) refuse("what it adds has rows, and its input has none");
  if (x.rows !== undefined && x.rows.axis === shapeOf(x).length - 1) refuse("it normalises over the batch");
  broadcastOnto(call.symbols, x, [skip]);
  const whole = layerNormalization({ ...call, inputs: [x, undefined, ...call.inputs.slice(2)] }, -1, 2);
  // the fourth output is the sum before it is normalised
  return whole.map((output, i) => (i === 3 ? (whole[0] ?? output) : output));
};

const embedding: Rule = (call) => {
  const ids = input(call, 0);
  for (const at of [2, 3, 4, 5, 6]) mustBeFixed(call, at, at + 1);
  if (ids.rows === undefined) {
    mustBeFixed(call, 0);
    return call.node.outputs.map(() => fixed(1, undefined));
  }
  batchAt(call, 0, 0, 1, 7);
  const places = call.inputs[8];
  if (places?.rows !== undefined) batchAt(call, 0, 8);
  else if (places !== undefined && !isNumber(shapeOf(places)[0], 1))
    refuse("its positions are the same for all requests");
  const [batch = ONE, length = ONE] = shapeOf(ids);
  const width = call.inputs[2]?.shape?.[1] ?? call.symbols.fresh();
  const hidden = first(call.inputs[2]?.type ?? 1, [batch, length, width]);
  return call.node.outputs.map((_, i) => (i === 1 ? first(6, [batch]) : hidden));
};

const decoder = attention({ rows: [0, 1, 2, 3, 4, 5, 9], bias: [10] });

export const ATTENTION_RULES: Readonly<Record<string, Rule>> = {
  Attention: attention({ rows: [0, 1, 2, 4, 5, 6], bias: [3] }),
  RotaryEmbedding: (call) => {
    const cached = call.inputs[3] !== undefined;
    // with positions, the second and third are tables; without, they are laid out for each row
    return onFirst(cached ? [3] : [1, 2])(call);
  },
};

export const MICROSOFT_ATTENTION_RULES: Readonly<Record<string, Rule>> = {
  Attention: attention({ rows: [0, 3], past: [4], bias: [5], states: { axis: 1, rank: 5 } }),
  QAttention: attention({ rows: [0, 5], past: [8], states: { axis: 1, rank: 5 } }),
  MultiHeadAttention: attention({ rows: [0, 1, 2, 4, 6, 7], bias: [5] }),
  GroupQueryAttention: (call) => {
    if (intOf(call, "do_rotary") === 1 || call.inputs.length <= 14) return decoder(call);
    return refuse("it has more inputs than are known here");
  },
  RotaryEmbedding: onFirst([1], [1]),
  SkipLayerNormalization: skipNormalization,
  SkipSimplifiedLayerNormalization: skipNormalization,
  EmbedLayerNormalization: embedding,
};
