import type { Graph, ModelStructure, ValueInfo } from "../../models/model-file/structure.ts";
import { evaluateGraph } from "./evaluate.ts";
import { constant, createSymbols, equal, ONE, ROWS, type Symbols, type Term } from "./terms.ts";
import { type Cause, fixed, isUnproved, type Value, withRows } from "./values.ts";
import { type Budget, Exhausted, lookUp, type Scope, type Work } from "./work.ts";

/**
 * Whether rows along these axes stay apart. `outputs`: the axis along which each output has them, by name. `reason`: what
 * stands in the way, for people.
 */
export type Verdict =
  | { independent: true; outputs: ReadonlyMap<string, number> }
  | { independent: false; reason: string };

/**
 * Follows the rows of a batch from the inputs, which are joined along the axes in `axes`, to the outputs. Inputs that are
 * not in it are the same for all requests of a batch. Never throws for what a model says. `budget`: nodes that may be
 * looked at, those of functions and loops each time; it is used up.
 */
export const analyse = (model: ModelStructure, axes: ReadonlyMap<string, number>, budget: Budget): Verdict => {
  const work: Work = { model, symbols: createSymbols(), used: usedNames(model), budget };
  const scope: Scope = { values: new Map(), around: undefined };
  for (const info of model.graph.inputs) {
    const initial = model.graph.initializers.get(info.name);
    // since version 4 of the format, what is an input as well may be given another value
    if (initial !== undefined && model.irVersion < 4) continue;
    const axis = axes.get(info.name);
    if (initial !== undefined && axis === undefined)
      scope.values.set(info.name, fixed(initial.type, initial.dims.map(constant)));
    else scope.values.set(info.name, inputValue(work.symbols, info, axis));
  }
  try {
    evaluateGraph(work, model.graph, scope, { opsets: model.opsets, attributes: new Map(), depth: 0 });
  } catch (error) {
    if (error instanceof Exhausted) return { independent: false, reason: error.message };
    throw error;
  }
  return conclude(model.graph, scope);
};

const inputValue = (symbols: Symbols, { name, type, shape }: ValueInfo, axis: number | undefined): Value => {
  const refused = (reason: string): Value => ({
    unproved: true,
    at: { node: "", output: "", operator: "", domain: "", reason: `its input "${name}" ${reason}` },
  });
  if (type === undefined) return refused("is no tensor");
  if (shape === undefined) return axis === undefined ? fixed(type, undefined) : refused("has no known rank");
  if (axis !== undefined && (axis < 0 || axis >= shape.length)) return refused(`has no axis ${axis}`);
  const sizes = shape.map((size, at): Term => {
    if (at === axis) return ROWS;
    return typeof size === "number" ? constant(size) : symbols.fresh();
  });
  return axis === undefined ? fixed(type, sizes) : withRows(type, sizes, { axis, outer: ONE, inner: ONE });
};

const conclude = ({ outputs }: Graph, scope: Scope): Verdict => {
  const axes = new Map<string, number>();
  for (const { name } of outputs) {
    const value = lookUp(scope, name);
    const refused = (reason: string): Verdict => ({ independent: false, reason: `its output "${name}" ${reason}` });
    if (value === undefined) return refused("is computed by no node");
    if (isUnproved(value)) return { independent: false, reason: explain(value.at) };
    const { rows } = value;
    if (rows === undefined)
      return refused("does not depend on the rows of the batch, so that it cannot be taken apart");
    if (value.filling !== undefined) return refused("has as many words as the longest row of the run");
    if (!equal(rows.outer, ONE) || !equal(rows.inner, ONE)) {
      return refused(`has the batch and another axis in one (axis ${rows.axis})`);
    }
    axes.set(name, rows.axis);
  }
  return { independent: true, outputs: axes };
};

const SHOWN = 200;

export const explain = ({ node, output, operator, domain, reason }: Cause): string => {
  if (operator === "") return reason;
  const which = domain === "" ? operator : `${domain}.${operator}`;
  const quoted = (name: string): string => JSON.stringify(name.slice(0, SHOWN));
  const named = node === "" ? `the node of ${quoted(output)} (${which})` : `node ${quoted(node)} (${which})`;
  return `${named}: ${reason}`;
};

const usedNames = (model: ModelStructure): ReadonlySet<string> => {
  const used = new Set<string>();
  const ofGraph = (graph: Graph): void => {
    for (const { name } of graph.outputs) used.add(name);
    for (const { inputs, attributes } of graph.nodes) {
      for (const name of inputs) used.add(name);
      for (const attribute of attributes.values()) if (attribute.kind === "graph") ofGraph(attribute.value);
    }
  };
  ofGraph(model.graph);
  for (const { nodes, outputs } of model.functions.values()) {
    ofGraph({
      nodes,
      inputs: [],
      outputs: outputs.map((name) => ({ name, type: undefined, shape: undefined })),
      initializers: new Map(),
    });
  }
  return used;
};
