/** Recurrent networks: [time, batch, features], or with layout 1 [batch, time, features]. */
import { type Call, input, intOf, mustBeFixed, type Rule, shapeOf, stringOf } from "../call.ts";
import { constant, equal, ONE, type Term } from "../terms.ts";
import { fixed, refuse, type Tensor, withRows } from "../values.ts";

const plain = (tensor: Tensor, axis: number, what: string): void => {
  if (tensor.rows === undefined) refuse(`its ${what} is the same for all requests, and fits one number of rows`);
  else if (tensor.rows.axis !== axis || !equal(tensor.rows.outer, ONE) || !equal(tensor.rows.inner, ONE)) {
    refuse(`the batch is not axis ${axis} of its ${what}`);
  }
};

const recurrent =
  (states: readonly number[], lengthsAt: number): Rule =>
  (call) => {
    const x = input(call, 0);
    const first = intOf(call, "layout") === 1;
    mustBeFixed(call, 1, lengthsAt);
    if (x.rows === undefined) {
      mustBeFixed(call, 0);
      return call.node.outputs.map(() => fixed(x.type, undefined));
    }
    if (x.rows.axis !== (first ? 0 : 1))
      refuse(`it goes along axis ${first ? 1 : 0} step by step, and the batch is axis ${x.rows.axis}`);
    plain(x, first ? 0 : 1, "input");
    const lengths = call.inputs[lengthsAt];
    if (lengths !== undefined) plain(lengths, 0, "sequence_lens");
    for (let at = lengthsAt + 1; at < call.inputs.length; at++) {
      const state = call.inputs[at];
      if (states.includes(at) && state !== undefined) plain(state, first ? 0 : 1, "initial state");
      else mustBeFixed(call, at, at + 1);
    }
    return outputsOf(call, x, first);
  };

const outputsOf = (call: Call, x: Tensor, first: boolean): readonly Tensor[] => {
  const shape = shapeOf(x);
  const directions = constant(stringOf(call, "direction") === "bidirectional" ? 2 : 1);
  const hidden = intOf(call, "hidden_size");
  const width = hidden === undefined ? call.symbols.fresh() : constant(hidden);
  const batch = shape[first ? 0 : 1] ?? ONE;
  const time = shape[first ? 1 : 0] ?? ONE;
  const at = (axis: number, sizes: readonly Term[]): Tensor =>
    withRows(x.type, sizes, { axis, outer: ONE, inner: ONE });
  return call.node.outputs.map((_, i) => {
    if (i === 0) return first ? at(0, [batch, time, directions, width]) : at(2, [time, directions, batch, width]);
    return first ? at(0, [batch, directions, width]) : at(1, [directions, batch, width]);
  });
};

export const RECURRENT_RULES: Readonly<Record<string, Rule>> = {
  RNN: recurrent([5], 4),
  GRU: recurrent([5], 4),
  LSTM: recurrent([5, 6], 4),
};
