/** Models whose rows depend on each other for some values only, and models like them whose rows do not. */
import onnxProto from "onnx-proto";
import { type ElementType, value, write } from "./models.ts";

const { onnx } = onnxProto;
const types = onnx.TensorProto.DataType;
const attributes = onnx.AttributeProto.AttributeType;

type Node = { opType: string; domain?: string; input: string[]; output: string[]; attribute?: object[] };

const node = (opType: string, input: string[], output: string, attribute: object[] = []): Node => ({
  opType,
  input,
  output: [output],
  attribute,
});
const int = (name: string, i: number): object => ({ name, type: attributes.INT, i });
const ints = (name: string, all: readonly number[]): object => ({ name, type: attributes.INTS, ints: all });
const text = (name: string, s: string): object => ({ name, type: attributes.STRING, s: Buffer.from(s) });
const texts = (name: string, all: readonly string[]): object => ({
  name,
  type: attributes.STRINGS,
  strings: all.map((one) => Buffer.from(one)),
});
const floats = (name: string, all: readonly number[]): object => ({ name, type: attributes.FLOATS, floats: all });

/** Numbers that a seed decides, in [-1, 1). */
export const numbers = (count: number, seed = 1): number[] => {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};
const weights = (name: string, dims: readonly number[], all: readonly number[]) => ({
  name,
  dataType: types.FLOAT,
  dims,
  floatData: all,
});
const scalar = (name: string, one: number) => weights(name, [], [one]);

type Ends = Record<string, { type: ElementType; shape: readonly (number | string)[] }>;
const model = (inputs: Ends, outputs: Ends, nodes: readonly Node[], initializer: readonly object[] = []): string => {
  const ends = (all: Ends) => Object.entries(all).map(([name, { type, shape }]) => value(name, type, shape));
  return write({ name: "rows", input: ends(inputs), output: ends(outputs), node: nodes, initializer });
};
const rows = (
  width: number,
  type: ElementType = "FP32",
): { type: ElementType; shape: readonly (number | string)[] } => ({
  type,
  shape: ["n", width],
});

/** What a layer becomes when it is quantised dynamically: one scale for all that comes in. */
const quantised = (from: string, to: string, [rows, columns]: readonly [number, number], seed: number) => ({
  nodes: [
    { opType: "DynamicQuantizeLinear", input: [from], output: ["q", "scale", "zero"] },
    node("MatMulInteger", ["q", "w8", "zero"], "sums"),
    node("Cast", ["sums"], "asFloat", [int("to", types.FLOAT)]),
    node("Mul", ["asFloat", "scale"], to),
  ],
  initializer: [
    {
      name: "w8",
      dataType: types.INT8,
      dims: [rows, columns],
      int32Data: numbers(rows * columns, seed).map((one) => Math.round(127 * one)),
    },
  ],
});

/** A text classifier after dynamic quantisation: a table of 100 words, the larger the later. */
export const quantisedText = (): string => {
  const { nodes, initializer } = quantised("e", "a", [16, 8], 3);
  const words = numbers(100 * 16, 7).map((one, i) => one * (0.2 + (5.8 * Math.floor(i / 16)) / 99));
  return model(
    { input_ids: { type: "INT64", shape: ["batch", "seq"] } },
    { y: { type: "FP32", shape: ["batch", 8] } },
    [
      node("Gather", ["words", "input_ids"], "e"),
      ...nodes,
      node("ReduceMean", ["a"], "y", [ints("axes", [1]), int("keepdims", 0)]),
    ],
    [weights("words", [100, 16], words), ...initializer],
  );
};

/** A classifier after dynamic quantisation that tells the label alone. */
export const quantisedLabel = (): string => {
  const { nodes, initializer } = quantised("x", "scores", [64, 4], 5);
  return model(
    { x: rows(64) },
    { label: { type: "INT64", shape: ["n"] } },
    [...nodes, node("ArgMax", ["scores"], "label", [int("axis", 1), int("keepdims", 0)])],
    initializer,
  );
};

/** Halves, through eight bits with one scale for the whole run. */
export const quantisedHalves = (): string =>
  model({ x: rows(4, "FP16") }, { y: rows(4, "FP16") }, [
    node("Cast", ["x"], "wide", [int("to", types.FLOAT)]),
    { opType: "DynamicQuantizeLinear", input: ["wide"], output: ["q", "scale", "zero"] },
    node("DequantizeLinear", ["q", "scale", "zero"], "back"),
    node("Cast", ["back"], "y", [int("to", types.FLOAT16)]),
  ]);

/** Divided by the greatest value of the run, if that is above `limit`. */
export const normalised = (limit = 1): string =>
  model(
    { x: rows(4) },
    { y: rows(4) },
    [
      node("ReduceMax", ["x"], "most", [int("keepdims", 0)]),
      node("Max", ["most", "limit"], "divisor"),
      node("Div", ["x", "divisor"], "y"),
    ],
    [scalar("limit", limit)],
  );

/** The rows are halved where `reduce` over all of them, as numbers, is beyond `limit`. */
export const halvedWhere = (
  type: ElementType,
  reduce: "ReduceMax" | "ReduceMin",
  is: "Greater" | "Less",
  limit: number,
): string =>
  model(
    { x: { type, shape: ["n", 4] } },
    { y: rows(4) },
    [
      node("Cast", ["x"], "f", [int("to", types.FLOAT)]),
      node(reduce, ["f"], "most", [int("keepdims", 0)]),
      node(is, ["most", "limit"], "beyond"),
      node("Where", ["beyond", "half", "one"], "factor"),
      node("Mul", ["f", "factor"], "y"),
    ],
    [scalar("limit", limit), scalar("half", 0.5), scalar("one", 1)],
  );

/** All of the run is 0 where any of it is NaN. */
export const zeroWhereNaN = (): string =>
  model(
    { x: rows(4) },
    { y: rows(4) },
    [
      node("IsNaN", ["x"], "nan"),
      node("Cast", ["nan"], "ones", [int("to", types.FLOAT)]),
      node("ReduceMax", ["ones"], "any", [int("keepdims", 0)]),
      node("Sub", ["one", "any"], "factor"),
      node("Mul", ["x", "factor"], "y"),
    ],
    [scalar("one", 1)],
  );

/** No value is above the number of rows, which shows for large values only. */
export const clippedAtCount = (): string =>
  model(
    { x: rows(4) },
    { y: rows(4) },
    [
      node("Shape", ["x"], "shape"),
      node("Gather", ["shape", "first"], "count"),
      node("Cast", ["count"], "limit", [int("to", types.FLOAT)]),
      node("Min", ["x", "limit"], "y"),
    ],
    [{ name: "first", dataType: types.INT64, dims: [], int64Data: [0] }],
  );

/** Each row by its length, of an operator whose shape onnxruntime does not infer, and nobody declares. */
export const undeclared = (): string =>
  write({
    name: "rows",
    input: [value("x", "FP32", ["n", 4])],
    output: [{ name: "y", type: { tensorType: { elemType: types.FLOAT } } }],
    node: [{ ...node("Normalizer", ["x"], "y", [text("norm", "L2")]), domain: "ai.onnx.ml" }],
  });

/** Each row by its own greatest value. */
export const normalisedByRow = (): string =>
  model(
    { x: rows(4) },
    { y: rows(4) },
    [
      node("ReduceMax", ["x"], "most", [ints("axes", [1]), int("keepdims", 1)]),
      node("Max", ["most", "limit"], "divisor"),
      node("Div", ["x", "divisor"], "y"),
    ],
    [scalar("limit", 1)],
  );

/** Ids, their mask and their types, each looked up in a table of its own: 300 words, 2 types. */
export const embeddings = (): string =>
  model(
    Object.fromEntries(["ids", "mask", "types"].map((name) => [name, { type: "INT64", shape: ["batch", "seq"] }])),
    { y: { type: "FP32", shape: ["batch", 8] } },
    [
      node("Gather", ["words", "ids"], "e"),
      node("Gather", ["kinds", "types"], "k"),
      node("Add", ["e", "k"], "sum"),
      node("Cast", ["mask"], "weight", [int("to", types.FLOAT)]),
      node("Unsqueeze", ["weight", "last"], "column"),
      node("Mul", ["sum", "column"], "seen"),
      node("ReduceMean", ["seen"], "y", [ints("axes", [1]), int("keepdims", 0)]),
    ],
    [
      weights("words", [300, 8], numbers(2400, 11)),
      weights("kinds", [2, 8], numbers(16, 13)),
      { name: "last", dataType: types.INT64, dims: [1], int64Data: [2] },
    ],
  );

/**
 * Two trees as converters write them: splits at 2.45 and 4.75 (petals of an iris), as of XGBoost, LightGBM or a forest.
 * @param label its declared shape: LightGBM's converter says [1] whatever it gives
 */
export const trees = (label: readonly (number | string)[] = ["n"]): string => {
  const leaf = (tree: number, id: number, kind: number) => ({ tree, id, kind });
  const leaves = [leaf(0, 1, 0), leaf(0, 3, 1), leaf(0, 4, 2), leaf(1, 1, 1), leaf(1, 2, 2)];
  const branch = [
    { tree: 0, id: 0, feature: 2, at: 2.45, yes: 1, no: 2 },
    { tree: 0, id: 2, feature: 2, at: 4.75, yes: 3, no: 4 },
    { tree: 1, id: 0, feature: 3, at: 1.65, yes: 1, no: 2 },
  ];
  const all = [
    ...branch.map((one) => ({ ...one, mode: "BRANCH_LEQ" })),
    ...leaves.map(({ tree, id }) => ({ tree, id, feature: 0, at: 0, yes: 0, no: 0, mode: "LEAF" })),
  ];
  const of = <T>(name: (one: (typeof all)[number]) => T): T[] => all.map(name);
  return model({ x: rows(4) }, { label: { type: "INT64", shape: label }, probabilities: rows(3) }, [
    {
      opType: "TreeEnsembleClassifier",
      domain: "ai.onnx.ml",
      input: ["x"],
      output: ["label", "probabilities"],
      attribute: [
        ints(
          "nodes_treeids",
          of(({ tree }) => tree),
        ),
        ints(
          "nodes_nodeids",
          of(({ id }) => id),
        ),
        ints(
          "nodes_featureids",
          of(({ feature }) => feature),
        ),
        floats(
          "nodes_values",
          of(({ at }) => at),
        ),
        ints(
          "nodes_truenodeids",
          of(({ yes }) => yes),
        ),
        ints(
          "nodes_falsenodeids",
          of(({ no }) => no),
        ),
        texts(
          "nodes_modes",
          of(({ mode }) => mode),
        ),
        ints(
          "class_treeids",
          leaves.map(({ tree }) => tree),
        ),
        ints(
          "class_nodeids",
          leaves.map(({ id }) => id),
        ),
        ints(
          "class_ids",
          leaves.map(({ kind }) => kind),
        ),
        floats(
          "class_weights",
          leaves.map(() => 0.5),
        ),
        ints("classlabels_int64s", [0, 1, 2]),
        text("post_transform", "NONE"),
      ],
    },
  ]);
};

/** The label of the nearest of three flowers. */
export const neighbours = (): string =>
  model(
    { x: rows(4) },
    { label: { type: "INT64", shape: ["n"] } },
    [
      node("Unsqueeze", ["x", "middle"], "column"),
      node("Sub", ["column", "known"], "apart"),
      node("Mul", ["apart", "apart"], "squares"),
      node("ReduceSum", ["squares", "end"], "distance", [int("keepdims", 0)]),
      node("ArgMin", ["distance"], "label", [int("axis", 1), int("keepdims", 0)]),
    ],
    [
      weights("known", [3, 4], [5, 3.4, 1.5, 0.2, 5.9, 2.8, 4.3, 1.3, 6.6, 3, 5.6, 2]),
      { name: "middle", dataType: types.INT64, dims: [1], int64Data: [1] },
      { name: "end", dataType: types.INT64, dims: [1], int64Data: [2] },
    ],
  );

/** Of a table of texts, their places; others are 0. */
export const encodedTexts = (): string =>
  model({ x: { type: "BYTES", shape: ["n", 1] } }, { y: { type: "INT64", shape: ["n", 1] } }, [
    {
      opType: "LabelEncoder",
      domain: "ai.onnx.ml",
      input: ["x"],
      output: ["y"],
      attribute: [
        texts("keys_strings", ["1", "no", "Москва"]),
        ints("values_int64s", [1, 2, 3]),
        int("default_int64", 0),
      ],
    },
  ]);

const counted = (to: string): Node => ({
  opType: "TfIdfVectorizer",
  domain: "",
  input: ["x"],
  output: [to],
  attribute: [
    { name: "mode", type: attributes.STRING, s: Buffer.from("TF") },
    int("min_gram_length", 1),
    int("max_gram_length", 1),
    int("max_skip_count", 0),
    ints("ngram_counts", [0]),
    ints("ngram_indexes", [0, 1, 2]),
    texts("pool_strings", ["invoice", "Mahnung", "virement"]),
  ],
});

/** How often each text has words that no other model knows. */
export const countedWords = (): string =>
  model({ x: { type: "BYTES", shape: ["n", 4] } }, { y: rows(3) }, [counted("y")]);

/** The same, divided by the most that any text has of a word: rows change each other. */
export const scaledByMostWords = (): string =>
  model(
    { x: { type: "BYTES", shape: ["n", 4] } },
    { y: rows(3) },
    [
      counted("counts"),
      node("ReduceMax", ["counts"], "most", [int("keepdims", 0)]),
      node("Add", ["most", "one"], "above"),
      node("Div", ["counts", "above"], "y"),
    ],
    [scalar("one", 1)],
  );

/** Places of categories; of any other text 0 for all. */
export const knownCategories = (): string =>
  model({ x: { type: "BYTES", shape: ["n", 1] } }, { y: { type: "FP32", shape: ["n", 1, 3] } }, [
    {
      ...{ opType: "OneHotEncoder", domain: "ai.onnx.ml", input: ["x"], output: ["y"] },
      attribute: [texts("cats_strings", ["Lausanne", "Zürich", "Genève"]), int("zeros", 1)],
    },
  ]);
