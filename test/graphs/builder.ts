/** Puts small ONNX models together, node by node. */
import onnxProto from "onnx-proto";
import { ELEMENT_TYPES, type ElementType } from "../runtime/models.ts";

const { onnx } = onnxProto;
const kinds = onnx.AttributeProto.AttributeType;

/** Names of values. */
export type Name = string;
export type Shape = readonly (number | string)[];

/** Numbers are ints; `float`, `floats` and `tensor` say what else they are. A graph is a body. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { float: number }
  | { floats: readonly number[] }
  | { tensor: ReturnType<typeof tensor> }
  | { graph: object };
export type Attributes = Readonly<Record<string, AttributeValue>>;

export const tensor = (
  name: string,
  type: ElementType,
  dims: readonly number[],
  values: readonly number[] | readonly string[],
) => {
  const base = { name, dims: [...dims], dataType: ELEMENT_TYPES[type] };
  if (type === "BYTES") return { ...base, stringData: values.map((text) => Buffer.from(String(text))) };
  if (type === "FP32") return { ...base, floatData: [...values] };
  if (type === "FP64") return { ...base, doubleData: [...values] };
  if (type === "INT64") return { ...base, int64Data: [...values] };
  return { ...base, int32Data: [...values] };
};

const attribute = (name: string, value: AttributeValue): object => {
  if (typeof value === "number") return { name, type: kinds.INT, i: value };
  if (typeof value === "string") return { name, type: kinds.STRING, s: Buffer.from(value) };
  if ("float" in value) return { name, type: kinds.FLOAT, f: value.float };
  if ("floats" in value) return { name, type: kinds.FLOATS, floats: [...value.floats] };
  if ("tensor" in value) return { name, type: kinds.TENSOR, t: value.tensor };
  if ("graph" in value) return { name, type: kinds.GRAPH, g: value.graph };
  const numbers = value.filter((one) => typeof one === "number");
  if (numbers.length === value.length) return { name, type: kinds.INTS, ints: numbers };
  return { name, type: kinds.STRINGS, strings: value.map((one) => Buffer.from(String(one))) };
};

/** Without a shape: of any. */
const info = (name: string, type: ElementType, shape: Shape | undefined) => ({
  name,
  type: {
    tensorType: {
      elemType: ELEMENT_TYPES[type],
      ...(shape === undefined
        ? {}
        : {
            shape: { dim: shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size })) },
          }),
    },
  },
});

/** Numbers in [0, 1), the same each time. */
export const numbers = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
};

export type Builder = ReturnType<typeof createBuilder>;

export const createBuilder = (seed = 1, prefix = "") => {
  const random = numbers(seed);
  let count = 0;
  const inputs: ReturnType<typeof info>[] = [];
  const outputs: ReturnType<typeof info>[] = [];
  const nodes: object[] = [];
  const initializers: object[] = [];
  const next = (stem: string): Name => `${prefix}${stem}_${++count}`;

  const ops = (
    operator: string,
    given: readonly Name[],
    attributes: Attributes,
    results: number,
    domain = "",
  ): Name[] => {
    const output = Array.from({ length: results }, () => next(operator));
    nodes.push({
      name: next(`node/${operator}`),
      opType: operator,
      domain,
      input: [...given],
      output,
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return output;
  };
  const held = (type: ElementType, dims: readonly number[], values: readonly number[] | readonly string[]): Name => {
    const name = next("constant");
    initializers.push(tensor(name, type, dims, values));
    return name;
  };
  return {
    random,
    input: (name: Name, type: ElementType, shape: Shape): Name => {
      inputs.push(info(name, type, shape));
      return name;
    },
    output: (from: Name, type: ElementType, shape?: Shape): void => {
      outputs.push(info(from, type, shape));
    },
    op: (operator: string, given: readonly Name[], attributes: Attributes = {}, domain = ""): Name =>
      ops(operator, given, attributes, 1, domain)[0] ?? "",
    ops,
    /** Weights in [-1, 1). */
    weights: (...dims: readonly number[]): Name =>
      held(
        "FP32",
        dims,
        Array.from({ length: dims.reduce((all, size) => all * size, 1) }, () => 2 * random() - 1),
      ),
    floats: (values: readonly number[], dims: readonly number[] = [values.length]): Name => held("FP32", dims, values),
    ints: (values: readonly number[], dims: readonly number[] = [values.length]): Name => held("INT64", dims, values),
    held,
    next,
    parts: () => ({ node: nodes, initializer: initializers, input: inputs, output: outputs }),
  };
};

type Typed = { name: Name; type: ElementType; shape?: Shape };

/** A graph within the model's: `fill` uses names of the graph around as they are. */
export const body = (
  outer: Builder,
  given: readonly Typed[],
  fill: (inner: Builder) => readonly Typed[],
): { graph: object } => {
  const inner = createBuilder(11, `${outer.next("body")}/`);
  const results = fill(inner);
  const { node, initializer } = inner.parts();
  const infos = (list: readonly Typed[]) => list.map(({ name, type, shape }) => info(name, type, shape));
  return { graph: { name: outer.next("graph"), input: infos(given), output: infos(results), node, initializer } };
};

export type ModelOptions = { opset?: number; ml?: number; functions?: readonly object[]; irVersion?: number };

/** The bytes of a model. */
export const encode = (
  builder: Builder,
  { opset = 17, ml = 3, functions = [], irVersion = 8 }: ModelOptions = {},
): Uint8Array => {
  const model = {
    irVersion,
    producerName: "berth",
    opsetImport: [
      { domain: "", version: opset },
      { domain: "ai.onnx.ml", version: ml },
      { domain: "com.microsoft", version: 1 },
      ...(functions.length > 0 ? [{ domain: "local", version: 1 }] : []),
    ],
    graph: { name: "graph", ...builder.parts() },
    functions: [...functions],
  };
  return onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish();
};
