/** What a model file says of its graph, without its weights: plain data for those who decide by the graph. */

/** The elements of a small tensor; `values` is undefined for large, external, packed and string ones. */
export type Constant = {
  /** TensorProto.DataType. */
  type: number;
  dims: readonly number[];
  values: readonly number[] | undefined;
  /** Of a single string. */
  text: string | undefined;
};

/** A dimension: its size, its name, or null where the model says nothing. */
export type Dimension = number | string | null;

/** `type` and `shape` are undefined where the value is no tensor, or of unknown rank. */
export type ValueInfo = {
  name: string;
  type: number | undefined;
  shape: readonly Dimension[] | undefined;
};

/** By the field that its type names. `length` is that of a list that is too long to be kept. */
export type Attribute =
  | { kind: "int" | "float"; value: number }
  | { kind: "string"; value: string }
  | { kind: "ints" | "floats"; values: readonly number[] | undefined; length: number }
  | { kind: "strings"; values: readonly string[] | undefined; length: number }
  | { kind: "tensor"; value: Constant }
  | { kind: "graph"; value: Graph }
  /** The value that the caller of a function gives to its attribute of this name. */
  | { kind: "reference"; name: string }
  | { kind: "other" };

export type GraphNode = {
  name: string;
  operator: string;
  domain: string;
  /** Which of several functions of this name. */
  overload: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: ReadonlyMap<string, Attribute>;
};

export type Graph = {
  nodes: readonly GraphNode[];
  inputs: readonly ValueInfo[];
  outputs: readonly ValueInfo[];
  initializers: ReadonlyMap<string, Constant>;
};

/** An operator that the model brings along. */
export type LocalFunction = {
  inputs: readonly string[];
  outputs: readonly string[];
  /** Values of attributes that callers may leave out. */
  defaults: ReadonlyMap<string, Attribute>;
  nodes: readonly GraphNode[];
  /** The version of each domain's operators in it. */
  opsets: ReadonlyMap<string, number>;
};

export type ModelStructure = {
  irVersion: number;
  opsets: ReadonlyMap<string, number>;
  graph: Graph;
  /** By `functionKey`. */
  functions: ReadonlyMap<string, LocalFunction>;
};

/** "ai.onnx" is the long name of the domain without one. */
export const domainOf = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

export const functionKey = (domain: string, operator: string, overload: string): string =>
  `${domainOf(domain)}\0${operator}\0${overload}`;
