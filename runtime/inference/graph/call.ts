import type { Attribute, Constant, GraphNode } from "../../models/model-file/structure.ts";
import { constant, isConstant, type Symbols, type Term } from "./terms.ts";
import { type Rows, refuse, type Tensor } from "./values.ts";

/** A node as its rule sees it: what comes in, and what its attributes say. */
export type Call = {
  node: GraphNode;
  /** Of the node's domain. */
  opset: number;
  /** Undefined: left out. */
  inputs: readonly (Tensor | undefined)[];
  symbols: Symbols;
  /** The outputs that something could use, by place. */
  wanted: readonly boolean[];
};

/** What a node's outputs are; throws a Refusal where its rows are not shown to stay apart. */
export type Rule = (call: Call) => readonly Tensor[];

/** `type`: of an output whose type is that of the input. */
export const input = (call: Call, at: number): Tensor => call.inputs[at] ?? refuse(`its input ${at + 1} is missing`);

export const shapeOf = (tensor: Tensor): readonly Term[] =>
  tensor.shape ?? refuse("the rank of what comes in is not known");

/** An input with rows and its shape. */
export type Batched = { shape: readonly Term[]; rows: Rows; type: number };
export const batched = (tensor: Tensor): Batched | undefined =>
  tensor.rows === undefined ? undefined : { shape: shapeOf(tensor), rows: tensor.rows, type: tensor.type };

/** Refuses inputs that differ from row to row where one value holds for the whole run. */
export const mustBeFixed = (call: Call, from: number, to = call.inputs.length): void => {
  for (let at = from; at < to; at++) {
    if (call.inputs[at]?.rows !== undefined) {
      refuse(
        `its input ${at + 1} ("${call.node.inputs[at] ?? ""}") comes from the rows, and one value holds for all of them`,
      );
    }
  }
};

const attribute = (call: Call, name: string): Attribute | undefined => call.node.attributes.get(name);
const unreadable = (name: string): never => refuse(`its attribute "${name}" cannot be read`);

export const intOf = (call: Call, name: string): number | undefined => {
  const found = attribute(call, name);
  if (found === undefined) return undefined;
  return found.kind === "int" ? found.value : unreadable(name);
};
export const stringOf = (call: Call, name: string): string | undefined => {
  const found = attribute(call, name);
  if (found === undefined) return undefined;
  return found.kind === "string" ? found.value : unreadable(name);
};
export const intsOf = (call: Call, name: string): readonly number[] | undefined => {
  const found = attribute(call, name);
  if (found === undefined) return undefined;
  return found.kind === "ints" && found.values !== undefined ? found.values : unreadable(name);
};
export const floatsOf = (call: Call, name: string): readonly number[] | undefined => {
  const found = attribute(call, name);
  if (found === undefined) return undefined;
  return found.kind === "floats" && found.values !== undefined ? found.values : unreadable(name);
};
export const tensorOf = (call: Call, name: string): Constant | undefined => {
  const found = attribute(call, name);
  if (found === undefined) return undefined;
  return found.kind === "tensor" ? found.value : unreadable(name);
};
/** How many elements a list has. */
export const lengthOf = (call: Call, name: string): number | undefined => {
  const found = attribute(call, name);
  if (found === undefined) return undefined;
  return found.kind === "ints" || found.kind === "floats" || found.kind === "strings" ? found.length : unreadable(name);
};

/** The elements of an input that are known as plain numbers. */
export const numbersIn = (tensor: Tensor | undefined): readonly number[] | undefined => {
  const data = tensor?.data;
  return data?.every(isConstant) ? data.map(({ c }) => c) : undefined;
};

/** Axes that newer versions take as an input and older ones as an attribute; undefined: none is given. */
export const axesOf = (call: Call, at: number, name = "axes"): readonly number[] | undefined => {
  const given = call.inputs[at];
  if (given === undefined) return intsOf(call, name);
  return (
    numbersIn(given) ?? refuse(`the axes come from "${call.node.inputs[at] ?? ""}", which is not known before the run`)
  );
};

/** Counted from the front. */
export const axisIn = (axis: number, rank: number): number => {
  const at = axis < 0 ? axis + rank : axis;
  return Number.isInteger(at) && at >= 0 && at < rank ? at : refuse(`axis ${axis} is not one of ${rank}`);
};

export const sizes = (numbers: readonly number[]): Term[] => numbers.map(constant);
