/** If, Loop and Scan: the graphs within them are followed like the one around them. */
import type { Attribute, Graph, GraphNode } from "../../models/model-file/structure.ts";
import { axisIn, shapeOf } from "./call.ts";
import { equal, isConstant, type Term } from "./terms.ts";
import {
  either,
  fixed,
  isSizedTensor,
  isUnproved,
  refuse,
  reshaped,
  sameRows,
  type Tensor,
  type Value,
  withRows,
} from "./values.ts";
import { type EvaluateGraph, lookUp, type Place, type Scope, unproved, type Work } from "./work.ts";

/** A node with a graph, and what it takes to follow that. */
type Flowing = {
  work: Work;
  node: GraphNode;
  inputs: readonly (Tensor | undefined)[];
  scope: Scope;
  place: Place;
  evaluateGraph: EvaluateGraph;
};
type Flow = (flowing: Flowing) => readonly Value[];

/** The outputs of a node that holds graphs; undefined where it is another one. */
export const controlFlow = (flowing: Flowing): readonly Value[] | undefined => {
  const { domain, operator } = flowing.node;
  return domain === "" && Object.hasOwn(FLOWS, operator) ? FLOWS[operator]?.(flowing) : undefined;
};

const graphOf = (node: GraphNode, name: string): Graph => {
  const attribute: Attribute | undefined = node.attributes.get(name);
  return attribute?.kind === "graph" ? attribute.value : refuse(`its graph "${name}" cannot be read`);
};

/** The outputs of a graph whose inputs have these values. */
const run = ({ work, node, scope, place, evaluateGraph }: Flowing, graph: Graph, inputs: readonly Value[]): Value[] => {
  const values = new Map<string, Value>();
  for (const [i, { name }] of graph.inputs.entries()) {
    const value = inputs[i];
    if (value !== undefined) values.set(name, value);
  }
  const inner: Scope = { values, around: scope };
  evaluateGraph(work, graph, inner, { ...place, depth: place.depth + 1 });
  return graph.outputs.map(({ name }) => lookUp(inner, name) ?? unproved(node, `its graph never computes "${name}"`));
};

/** What decides for all rows at once must be the same for all of them, and for any number of them. */
const decides = (value: Value | undefined, what: string): Value | undefined => {
  if (value === undefined) return undefined;
  if (isUnproved(value)) return value;
  if (value.rows !== undefined) refuse(`${what} comes from the rows, and holds for all of them`);
  if (isSizedTensor(value)) refuse(`${what} depends on the number of rows in the batch`);
  return undefined;
};

const branch: Flow = (flowing) => {
  const { work, node, inputs } = flowing;
  const [condition] = inputs;
  decides(condition, "its condition");
  const [known] = condition?.data ?? [];
  const side = (name: string): Value[] => run(flowing, graphOf(node, name), []);
  if (known !== undefined && isConstant(known) && condition?.data?.length === 1) {
    return side(known.c === 0 ? "else_branch" : "then_branch");
  }
  const [one, other] = [side("then_branch"), side("else_branch")];
  return node.outputs.map((_, i) => {
    const [left, right] = [one[i], other[i]];
    return left === undefined || right === undefined
      ? unproved(node, "its branches have different outputs")
      : either(work.symbols, left, right);
  });
};

/** Whether a value that went round once more is what it was assumed to be; sizes that were given up stay so. */
const settled = (start: Value, before: Value, after: Value): boolean => {
  if (isUnproved(before) || isUnproved(after)) return isUnproved(before) && isUnproved(after);
  if ((before.shape === undefined) !== (after.shape === undefined)) return false;
  if (before.shape?.length !== after.shape?.length || before.data !== undefined) return before.data === after.data;
  if ((before.rows === undefined) !== (after.rows === undefined)) return false;
  if (before.rows && after.rows && (before.rows.axis !== after.rows.axis || !sameRows(before.rows, after.rows)))
    return false;
  // a size that is not that of the beginning any more stands for any
  const first = isUnproved(start) ? undefined : start.shape;
  return (before.shape ?? []).every(
    (size, axis) => equal(size, after.shape?.[axis] ?? size) || !equal(size, first?.[axis] ?? size),
  );
};

/** Runs a body until what it carries over does not change; its outputs are those of the last round. */
const repeat = (
  work: Work,
  starts: readonly Value[],
  round: (carried: readonly Value[]) => readonly Value[],
): { carried: readonly Value[]; outputs: readonly Value[] } => {
  // the elements may be others in each round
  let carried = starts.map((value) =>
    isUnproved(value) || isSizedTensor(value) ? value : { ...value, data: undefined },
  );
  for (let i = 0; i <= starts.length + 2; i++) {
    const outputs = round(carried);
    const next = carried.map((value, at) => {
      const after = outputs[at];
      return after === undefined ? refuse("its body has too few outputs") : either(work.symbols, value, after);
    });
    if (next.every((value, at) => settled(starts[at] ?? value, carried[at] ?? value, value)))
      return { carried: next, outputs };
    carried = next.map((value) => (isUnproved(value) || isSizedTensor(value) ? value : { ...value, data: undefined }));
  }
  return refuse("its loop-carried state does not converge");
};

const stacked = (value: Value, axis: number, size: Term): Value => {
  if (isUnproved(value)) return value;
  if (isSizedTensor(value)) return refuse("it outputs the number of rows in the batch");
  if (value.shape === undefined && value.rows === undefined) return fixed(value.type, undefined);
  const shape = shapeOf(value);
  const at = axis < 0 ? axis + shape.length + 1 : axis;
  const wider = shape.toSpliced(at, 0, size);
  if (value.rows === undefined) return fixed(value.type, wider);
  return withRows(value.type, wider, {
    ...value.rows,
    axis: value.rows.axis >= at ? value.rows.axis + 1 : value.rows.axis,
  });
};

const present = (tensor: Tensor | undefined): Tensor => tensor ?? refuse("one of its inputs is missing");

const loop: Flow = (flowing) => {
  const { work, node, inputs } = flowing;
  const [trips, condition, ...starts] = inputs;
  decides(trips, "how often it runs");
  decides(condition, "its condition");
  const body = graphOf(node, "body");
  let stop: Value | undefined;
  const { carried, outputs } = repeat(work, starts.map(present), (values) => {
    const [goesOn, ...rest] = run(flowing, body, [fixed(7, []), fixed(9, []), ...values]);
    stop = decides(goesOn, "its condition");
    return rest;
  });
  if (stop !== undefined) return node.outputs.map(() => stop ?? unproved(node, "its condition is not known"));
  const size = work.symbols.fresh();
  return [...carried, ...outputs.slice(carried.length).map((value) => stacked(value, 0, size))];
};

const scan: Flow = (flowing) => {
  const { work, node, inputs, place } = flowing;
  if ((place.opsets.get("") ?? 0) < 9) refuse("before version 9 it has a batch of its own");
  const count = node.attributes.get("num_scan_inputs");
  if (count?.kind !== "int") return refuse("its attribute num_scan_inputs is missing");
  const body = graphOf(node, "body");
  const states = inputs.length - count.value;
  const axes = node.attributes.get("scan_input_axes");
  const outAxes = node.attributes.get("scan_output_axes");
  const at = (list: Attribute | undefined, i: number): number => {
    if (list === undefined) return 0;
    return list.kind === "ints"
      ? (list.values?.[i] ?? refuse("its axes cannot be read"))
      : refuse("its axes cannot be read");
  };
  let size: Term | undefined;
  const slices = inputs.slice(states).map((tensor, i): Value => {
    const x = present(tensor);
    if (isSizedTensor(x)) refuse("it scans over the number of rows in the batch");
    if (x.shape === undefined && x.rows === undefined) return fixed(x.type, undefined);
    const shape = shapeOf(x);
    const axis = axisIn(at(axes, i), shape.length);
    if (axis === x.rows?.axis) refuse("it scans along the batch");
    size ??= shape[axis];
    const rest = reshaped(x, shape.toSpliced(axis, 1));
    return x.rows === undefined
      ? rest
      : { ...rest, rows: { ...x.rows, axis: x.rows.axis > axis ? x.rows.axis - 1 : x.rows.axis } };
  });
  const { carried, outputs } = repeat(work, inputs.slice(0, states).map(present), (values) =>
    run(flowing, body, [...values, ...slices]),
  );
  const length = size ?? work.symbols.fresh();
  return [...carried, ...outputs.slice(states).map((value, i) => stacked(value, at(outAxes, i), length))];
};

const FLOWS: Readonly<Record<string, Flow>> = { If: branch, Loop: loop, Scan: scan };
