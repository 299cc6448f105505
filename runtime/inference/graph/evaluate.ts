/** Follows the rows of a batch through nodes, one after the other. */
import { type Attribute, functionKey, type GraphNode } from "../../models/model-file/structure.ts";
import type { Call } from "./call.ts";
import { controlFlow } from "./control-flow.ts";
import { BOOL, foldElements, held, isWholeType } from "./fold.ts";
import { followElements, MAX_FOLDED, movesElements } from "./fold-places.ts";
import { isOnnxruntimes, ruleOf } from "./table.ts";
import { constant, equal, isConstant, isSized, ONE, product, type Symbols, type Term } from "./terms.ts";
import {
  fixed,
  isFixed,
  isSizedTensor,
  isUnproved,
  Refusal,
  refuse,
  sameShape,
  type Tensor,
  type Value,
} from "./values.ts";
import { type EvaluateGraph, Exhausted, lookUp, type Place, type Scope, unproved, type Work } from "./work.ts";

const MAX_DEPTH = 24;

export const evaluateGraph: EvaluateGraph = (work, graph, scope, place) => {
  for (const [name, { type, dims, values }] of graph.initializers) {
    if (!scope.values.has(name)) scope.values.set(name, fixed(type, dims.map(constant), values?.map(constant)));
  }
  evaluateNodes(work, graph.nodes, scope, place);
};

const evaluateNodes = (work: Work, nodes: readonly GraphNode[], scope: Scope, place: Place): void => {
  if (place.depth > MAX_DEPTH) throw new Exhausted(`its graphs and functions are more than ${MAX_DEPTH} deep`);
  for (const node of nodes) {
    if (--work.budget.left < 0) throw new Exhausted("it has too many functions and loops to examine");
    const outputs = evaluate(work, node, scope, place);
    for (const [i, name] of node.outputs.entries()) {
      const value = outputs[i] ?? unproved(node, `its output ${i + 1} is not known`);
      if (name !== "") scope.values.set(name, value);
    }
  }
};

const evaluate = (work: Work, given: GraphNode, scope: Scope, place: Place): readonly Value[] => {
  const node = withReferences(given, place.attributes);
  const all = (value: Value): readonly Value[] => node.outputs.map(() => value);
  const inputs: (Tensor | undefined)[] = [];
  for (const name of node.inputs) {
    const value = name === "" ? undefined : lookUp(scope, name);
    if (name !== "" && value === undefined)
      return all(unproved(node, `its input "${name}" comes from no node before it`));
    if (value !== undefined && isUnproved(value)) return all(value);
    inputs.push(value);
  }
  try {
    const flow = controlFlow({ work, node, inputs, scope, place, evaluateGraph });
    if (flow !== undefined) return flow;
    const local = work.model.functions.get(functionKey(node.domain, node.operator, node.overload));
    if (local !== undefined) {
      if (isOnnxruntimes(node.domain)) return all(unproved(node, "the model has an operator of its own by this name"));
      const values = new Map<string, Value>();
      for (const [i, name] of local.inputs.entries()) {
        const value = inputs[i];
        if (value !== undefined) values.set(name, value);
      }
      const inner: Scope = { values, around: undefined };
      const attributes = new Map([...local.defaults, ...node.attributes]);
      evaluateNodes(work, local.nodes, inner, { opsets: local.opsets, attributes, depth: place.depth + 1 });
      return local.outputs.map(
        (name) => lookUp(inner, name) ?? unproved(node, `its output "${name}" is never computed`),
      );
    }
    return operator(work, node, inputs, place);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return all(unproved(node, error.message));
  }
};

const withReferences = (node: GraphNode, values: ReadonlyMap<string, Attribute>): GraphNode => {
  if (![...node.attributes.values()].some(({ kind }) => kind === "reference")) return node;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const value = attribute.kind === "reference" ? values.get(attribute.name) : attribute;
    if (value !== undefined) attributes.set(name, value);
  }
  return { ...node, attributes };
};

/** Texts that are filled up go through these. */
const TAKES_FILLING: ReadonlySet<string> = new Set(["Flatten", "TfIdfVectorizer", "Identity"]);
/** Operators that take the number of rows as a size, by their inputs that do. */
const TAKES_SIZES: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  ConstantOfShape: [0],
  Tile: [1],
  Slice: [1, 2],
  Resize: [3],
  AffineGrid: [1],
  Shape: [0],
  Size: [0],
};

const operator = (
  work: Work,
  node: GraphNode,
  inputs: readonly (Tensor | undefined)[],
  place: Place,
): readonly Value[] => {
  const { symbols } = work;
  const opset = place.opsets.get(node.domain);
  const found = ruleOf(node.domain, node.operator, opset);
  if ("reason" in found) return node.outputs.map(() => unproved(node, found.reason));
  const call: Call = {
    node,
    opset: opset ?? 0,
    inputs,
    symbols,
    wanted: node.outputs.map((name) => name !== "" && work.used.has(name)),
  };
  const filled = inputs.find((tensor) => tensor?.filling !== undefined);
  if (filled !== undefined && !TAKES_FILLING.has(node.operator)) {
    refuse("shorter rows of it are filled up to the longest of the run");
  }
  const folded = fold(call);
  if (folded !== undefined) return [folded];
  const sized = inputs.some((tensor) => tensor !== undefined && isSizedTensor(tensor));
  const moves = node.domain === "" && movesElements(node.operator);
  const takes = node.domain === "" ? (TAKES_SIZES[node.operator] ?? []) : [];
  /** Whether the number of rows comes in as a value among others, and not as a size. */
  const counts = inputs.some((tensor, at) => tensor !== undefined && isSizedTensor(tensor) && !takes.includes(at));
  if (counts && !moves) refuse("it computes with the number of rows in the batch");
  const allFixed = inputs.every((tensor) => tensor === undefined || isFixed(tensor));
  let outputs: readonly Tensor[];
  try {
    outputs = found.rule(call);
  } catch (error) {
    if (!(error instanceof Refusal) || !allFixed) throw error;
    outputs = node.outputs.map(() => fixed(0, undefined));
  }
  return outputs.map((output, at) => {
    const data = output.data ?? (moves ? followElements(call, output, at) : undefined);
    // what becomes of the number of rows must be seen: a size along which rows lie, or elements that are followed
    if (sized && data === undefined && (counts || output.rows === undefined)) {
      refuse("it computes with the number of rows in the batch");
    }
    return checked(symbols, data === undefined ? output : { ...output, data });
  });
};

/** Elements of small tensors, where an operator computes them one by one. */
const fold = (call: Call): Tensor | undefined => {
  const { node, symbols } = call;
  const inputs = call.inputs.filter((tensor) => tensor !== undefined);
  if (node.domain !== "" || inputs.length === 0 || node.outputs.length !== 1) return undefined;
  const operands: (readonly Term[])[] = [];
  let widest: Tensor | undefined;
  for (const tensor of inputs) {
    if (tensor.rows !== undefined || tensor.data === undefined || tensor.shape === undefined) return undefined;
    operands.push(tensor.data);
    if (
      widest?.data === undefined ||
      tensor.data.length > widest.data.length ||
      (tensor.data.length === widest.data.length && tensor.shape.length > (widest.shape?.length ?? 0))
    )
      widest = tensor;
  }
  const shape = widest?.shape ?? [];
  const rank = Math.max(...inputs.map(({ shape: sizes }) => sizes?.length ?? 0));
  const fits = inputs.every((tensor) => tensor.data?.length === 1 || sameShape(tensor.shape ?? [], shape));
  if (!fits || shape.length !== rank || operands.some((data) => data.length === 0)) return undefined;
  const whole = inputs.every(({ type }) => isWholeType(type));
  const type = node.operator === "Where" ? (inputs[1]?.type ?? 0) : (inputs[0]?.type ?? 0);
  if (node.operator === "Cast") return foldCast(call, inputs[0], shape);
  const data = foldElements({ symbols }, node.operator, operands, whole);
  if (data === undefined) return undefined;
  const known = data.filter((term) => term !== undefined);
  if (known.length < data.length) return refuse("it computes with the number of rows in the batch");
  const result = /^(Equal|Greater|Less|And|Or|Not)/.test(node.operator) ? BOOL : type;
  return fixed(
    result,
    shape,
    known.map((term) => held(symbols, result, term)),
  );
};

const WHOLE_TYPES: ReadonlySet<number> = new Set([6, 7, 12, 13]);
const REAL_TYPES: ReadonlySet<number> = new Set([1, 11]);

const foldCast = ({ node, symbols }: Call, x: Tensor | undefined, shape: readonly Term[]): Tensor | undefined => {
  const to = node.attributes.get("to");
  if (to?.kind !== "int" || x?.data === undefined) return undefined;
  const keeps = REAL_TYPES.has(to.value) || (WHOLE_TYPES.has(to.value) && WHOLE_TYPES.has(x.type));
  const data = x.data.map((term): Term | undefined => {
    if (isConstant(term))
      return to.value === BOOL
        ? constant(term.c === 0 ? 0 : 1)
        : held(symbols, to.value, isWholeType(to.value) ? constant(Math.trunc(term.c)) : term);
    if (keeps || (WHOLE_TYPES.has(to.value) && term.symbols.length === 0 && Number.isInteger(term.c))) return term;
    return symbols.derived(`cast ${to.value}`, [term], term.symbols.every((symbol) => symbol > 0) && term.c >= 0);
  });
  const known = data.filter((term) => term !== undefined);
  if (known.length < data.length) return refuse("it computes with the number of rows in the batch");
  return fixed(to.value, shape, known);
};

/** What holds of every tensor, whatever rule made it: the number of rows is in one size, which is that of the rows. */
const checked = (symbols: Symbols, tensor: Tensor): Tensor => {
  const { shape, rows, data } = tensor;
  if (rows === undefined) {
    if (shape?.some(isSized)) refuse("its result has the number of rows in its shape, and is the same for all of them");
    return data !== undefined && data.length > MAX_FOLDED ? { ...tensor, data: undefined } : tensor;
  }
  const own = product(symbols, [rows.outer, { c: 1, n: 1, symbols: [] }, rows.inner]) ?? ONE;
  if (shape === undefined || !equal(shape[rows.axis] ?? ONE, own)) return refuse("where its rows lie is not known");
  if (shape.some((size, axis) => axis !== rows.axis && isSized(size)))
    refuse("its result holds the rows along several axes");
  return data === undefined ? tensor : { ...tensor, data: undefined };
};
