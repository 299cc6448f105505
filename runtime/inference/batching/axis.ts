import type { TensorInfo } from "../../tensors/index.ts";

/**
 * One way in which requests could share a run: the axis along which each input is joined, and the axes along which each
 * output could be taken apart. It is a guess from names and open dimensions; only runs of the model prove it.
 */
export type Candidate = {
  /** What the model calls the dimension, for people. */
  name: string;
  /** Undefined: every request of a batch must bring the same value (such as a scalar sampling rate). */
  inputs: readonly (number | undefined)[];
  outputs: readonly (readonly number[])[];
};

/** An axis of each input and output, proved; as long as the model's lists. */
export type BatchAxes = { inputs: readonly (number | undefined)[]; outputs: readonly number[] };

/** More guesses than these are not worth their runs. */
const MAX_CANDIDATES = 4;
const BATCH_NAME = /batch|^n$|^bs$|^b$/i;

/** The candidates, the likeliest first, or why there is none. */
export const batchCandidates = (
  inputs: readonly TensorInfo[],
  outputs: readonly TensorInfo[],
): { candidates: Candidate[] } | { reason: string } => {
  const unknown = inputs.find(({ anyRank }) => anyRank === true);
  if (unknown !== undefined) return { reason: `its input "${unknown.name}" may have any number of dimensions` };
  const closed = outputs.find(({ shape }) => !shape.includes(null));
  if (closed !== undefined) {
    return { reason: `its output "${closed.name}" is always ${shapeText(closed)}, so it has no batch dimension` };
  }
  if (!inputs.some(({ shape }) => shape.includes(null))) {
    const list = inputs.map((input) => `"${input.name}" ${shapeText(input)}`).join(", ");
    return { reason: `its inputs have no open dimension: ${list}` };
  }
  const symbols = new Set(inputs.flatMap((input) => input.symbols.filter((symbol) => symbol !== null)));
  const named = [...symbols].map((symbol) => ofSymbol(symbol, symbols, inputs, outputs));
  const first = ofFirstAxis(symbols, inputs, outputs);
  const seen = new Set<string>();
  const candidates = [...named.sort(byLikelihood), first].filter((candidate): candidate is Candidate => {
    if (candidate === undefined || candidate.outputs.some((axes) => axes.length === 0)) return false;
    const key = JSON.stringify([candidate.inputs.map((axis) => axis ?? null), candidate.outputs]);
    return !seen.has(key) && seen.add(key) !== undefined;
  });
  return candidates.length > 0
    ? { candidates: candidates.slice(0, MAX_CANDIDATES) }
    : { reason: "no open dimension occurs once in its inputs and in each of its outputs" };
};

const ofSymbol = (
  symbol: string,
  symbols: ReadonlySet<string>,
  inputs: readonly TensorInfo[],
  outputs: readonly TensorInfo[],
): Candidate | undefined => {
  const times = (info: TensorInfo): number => info.symbols.filter((one) => one === symbol).length;
  if ([...inputs, ...outputs].some((info) => times(info) > 1)) return undefined;
  return {
    name: symbol,
    inputs: inputs.map((info) => (times(info) === 1 ? info.symbols.indexOf(symbol) : undefined)),
    outputs: outputs.map((info) => (times(info) === 1 ? [info.symbols.indexOf(symbol)] : unrelatedAxes(info, symbols))),
  };
};

/** For models that name nothing, or name the same dimension differently in each tensor (as paddle2onnx does). */
const ofFirstAxis = (
  symbols: ReadonlySet<string>,
  inputs: readonly TensorInfo[],
  outputs: readonly TensorInfo[],
): Candidate | undefined => {
  const axes = inputs.map(({ shape }) => (shape[0] === null ? 0 : undefined));
  if (axes.every((axis) => axis === undefined)) return undefined;
  const names = new Set(inputs.flatMap(({ symbols: [name] }, i) => (axes[i] === 0 && name != null ? [name] : [])));
  return {
    name: "the first dimension",
    inputs: axes,
    outputs: outputs.map((info) => {
      const [symbol] = info.symbols;
      if (info.shape[0] === null && (symbol == null || names.has(symbol))) return [0];
      return unrelatedAxes(info, symbols);
    }),
  };
};

/** Open dimensions of an output that no input names: exporters often lose the name on the way through a graph. */
const unrelatedAxes = ({ shape, symbols }: TensorInfo, ofInputs: ReadonlySet<string>): number[] =>
  shape.flatMap((size, axis) => {
    const symbol = symbols[axis] ?? null;
    return size === null && (symbol === null || !ofInputs.has(symbol)) ? [axis] : [];
  });

const byLikelihood = (one: Candidate | undefined, other: Candidate | undefined): number => rank(one) - rank(other);

/** Batch by name, then what is joined at axis 0, then what leaves fewer inputs shared. */
const rank = (candidate: Candidate | undefined): number => {
  if (candidate === undefined) return Number.MAX_SAFE_INTEGER;
  const elsewhere = candidate.inputs.filter((axis) => axis !== undefined && axis !== 0).length;
  const shared = candidate.inputs.filter((axis) => axis === undefined).length;
  return (BATCH_NAME.test(candidate.name) ? 0 : 10_000) + elsewhere * 100 + shared;
};

const shapeText = ({ shape }: TensorInfo): string => `[${shape.map((size) => size ?? "any").join(", ")}]`;
