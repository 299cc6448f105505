/** What the parts of one analysis share. */
import type { Attribute, Graph, GraphNode, ModelStructure } from "../../models/model-file/structure.ts";
import type { Symbols } from "./terms.ts";
import type { Cause, Value } from "./values.ts";

/** Names of values, those of the graphs around included. */
export type Scope = { values: Map<string, Value>; around: Scope | undefined };

/** What one analysis works with. */
export type Work = {
  model: ModelStructure;
  symbols: Symbols;
  /** Names that something uses, in any graph of the model. */
  used: ReadonlySet<string>;
  budget: Budget;
};

/** Nodes that may still be looked at. */
export type Budget = { left: number };

/** Where nodes are: in the model's graph, or in a function. */
export type Place = {
  opsets: ReadonlyMap<string, number>;
  attributes: ReadonlyMap<string, Attribute>;
  depth: number;
};

/** Gives all values of a graph their names in the scope. */
export type EvaluateGraph = (work: Work, graph: Graph, scope: Scope, place: Place) => void;

/** The model asks for more than is looked at: functions or loops within each other multiply. */
export class Exhausted extends Error {}

export const lookUp = (scope: Scope, name: string): Value | undefined => {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.around) {
    const value = at.values.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
};

export const unproved = ({ name, operator, domain, outputs }: GraphNode, reason: string): Value => {
  const at: Cause = { node: name, output: outputs[0] ?? "", operator, domain, reason };
  return { unproved: true, at };
};
