/** Rows that decide for others, or are gone through one after the other; and the same within functions. */
import { type Builder, body, createBuilder, type Name } from "../builder.ts";
import { coupled, type GraphCase, ids, x } from "../case.ts";

const most = (b: Builder, given: Name): Name => b.op("ReduceMax", [given], { keepdims: 0 });
const rows = (b: Builder, given: Name, shape: readonly number[] = []): Name =>
  b.op("Gather", [b.op("Shape", [given]), b.ints([0], shape)]);
const yes = (b: Builder): Name => b.held("BOOL", [], [1]);

const choice = (b: Builder, condition: Name, given: Name): Name =>
  b.op("If", [condition], {
    then_branch: body(b, [], (inner) => [{ name: inner.op("Div", [given, inner.floats([255])]), type: "FP32" }]),
    else_branch: body(b, [], (inner) => [{ name: inner.op("Identity", [given]), type: "FP32" }]),
  });

const loopOf = (b: Builder, often: Name, start: Name, step: (inner: Builder, carried: Name) => Name): Name =>
  loopWith(b, often, start, step, "FP32");
const loop = (b: Builder, often: Name, start: Name, step: (inner: Builder, carried: Name) => Name): Name =>
  loopWith(b, often, start, step, "INT64");
const loopWith = (
  b: Builder,
  often: Name,
  start: Name,
  step: (inner: Builder, carried: Name) => Name,
  type: "FP32" | "INT64",
): Name => {
  const [result = ""] = b.ops(
    "Loop",
    [often, yes(b), start],
    {
      body: body(
        b,
        [
          { name: "i", type: "INT64", shape: [] },
          { name: "go", type: "BOOL", shape: [] },
          { name: "carried", type },
        ],
        (inner) => [
          { name: inner.op("Identity", ["go"]), type: "BOOL", shape: [] },
          { name: step(inner, "carried"), type },
        ],
      ),
    },
    1,
  );
  return result;
};
const scan = (b: Builder, given: Name, attributes: Readonly<Record<string, readonly number[]>> = {}): Name => {
  const [, sums = ""] = b.ops(
    "Scan",
    [b.floats([0, 0, 0, 0]), given],
    {
      num_scan_inputs: 1,
      ...attributes,
      body: body(
        b,
        [
          { name: "sum", type: "FP32", shape: [4] },
          { name: "row", type: "FP32", shape: [4] },
        ],
        (inner) => {
          const next = inner.op("Add", ["sum", "row"]);
          return [
            { name: next, type: "FP32", shape: [4] },
            { name: inner.op("Identity", [next]), type: "FP32", shape: [4] },
          ];
        },
      ),
    },
    2,
  );
  return sums;
};

const flow: GraphCase[] = [
  coupled("divided by 255 if any value is above 10", (b, given) =>
    choice(b, b.op("Greater", [most(b, given), b.floats([10], [])]), given),
  ),
  coupled("divided by 255 if the sum is above 0", (b, given) =>
    choice(b, b.op("Greater", [b.op("ReduceSum", [given], { keepdims: 0 }), b.floats([0], [])]), given),
  ),
  coupled("divided by 255 if the first value is above 0", (b, given) => {
    const first = b.op("Squeeze", [
      b.op("Slice", [b.op("Reshape", [given, b.ints([-1])]), b.ints([0]), b.ints([1])]),
      b.ints([0]),
    ]);
    return choice(b, b.op("Greater", [first, b.floats([0], [])]), given);
  }),
  coupled("another way for one row", (b, given) => choice(b, b.op("Equal", [rows(b, given), b.ints([1], [])]), given)),
  coupled("another way for few elements", (b, given) =>
    choice(b, b.op("Less", [b.op("Size", [given]), b.ints([8], [])]), given),
  ),
  coupled("another way where the shape is that of one row", (b, given) => {
    const same = b.op("Cast", [b.op("Equal", [b.op("Shape", [given]), b.ints([1, 4])])], { to: 7 });
    return choice(b, b.op("Cast", [b.op("ReduceMin", [same], { keepdims: 0 })], { to: 9 }), given);
  }),
  coupled("chosen for all by any of them", (b, given) =>
    b.op("Where", [b.op("Greater", [most(b, given), b.floats([10], [])]), b.op("Neg", [given]), given]),
  ),
  coupled(
    "added as often as a value says",
    (b, tokens) => {
      const often = b.op("ReduceMax", [tokens], { keepdims: 0 });
      return {
        name: loop(b, often, tokens, (inner, carried) => inner.op("Add", [carried, inner.ints([1])])),
        type: "INT64",
      };
    },
    { inputs: [ids(5, "N", 2)] },
  ),
  coupled("added as often as there are rows", (b, given) =>
    loopOf(b, rows(b, given), given, (inner, carried) => inner.op("Add", [carried, inner.floats([1])])),
  ),
  coupled("halved until all are small", (b, given) => {
    const [result = ""] = b.ops(
      "Loop",
      [b.ints([50], []), yes(b), given],
      {
        body: body(
          b,
          [
            { name: "i", type: "INT64", shape: [] },
            { name: "go", type: "BOOL", shape: [] },
            { name: "value", type: "FP32" },
          ],
          (inner) => {
            const half = inner.op("Mul", ["value", inner.floats([0.5])]);
            return [
              {
                name: inner.op("Greater", [
                  inner.op("ReduceMax", [inner.op("Abs", [half])], { keepdims: 0 }),
                  inner.floats([0.3], []),
                ]),
                type: "BOOL",
                shape: [],
              },
              { name: half, type: "FP32" },
            ];
          },
        ),
      },
      1,
    );
    return result;
  }),
  coupled("normalised in a loop", (b, given) =>
    loopOf(b, b.ints([2], []), given, (inner, carried) => inner.op("Softmax", [carried], { axis: 0 })),
  ),
  coupled("normalised in the second round", (b, given) => {
    const [first = "", second = ""] = b.ops(
      "Loop",
      [b.ints([3], []), yes(b), given, given],
      {
        body: body(
          b,
          [
            { name: "i", type: "INT64", shape: [] },
            { name: "go", type: "BOOL", shape: [] },
            { name: "one", type: "FP32" },
            { name: "two", type: "FP32" },
          ],
          (inner) => [
            { name: inner.op("Identity", ["go"]), type: "BOOL", shape: [] },
            { name: inner.op("Identity", ["two"]), type: "FP32" },
            { name: inner.op("Sub", ["two", inner.op("ReduceMean", ["two"], { axes: [0] })]), type: "FP32" },
          ],
        ),
      },
      2,
    );
    return [first, second];
  }),
  coupled("row after row", (b, given) => {
    const [total = ""] = b.ops(
      "Loop",
      [rows(b, given), yes(b), b.floats([0, 0, 0, 0], [1, 4])],
      {
        body: body(
          b,
          [
            { name: "i", type: "INT64", shape: [] },
            { name: "go", type: "BOOL", shape: [] },
            { name: "sum", type: "FP32" },
          ],
          (inner) => [
            { name: inner.op("Identity", ["go"]), type: "BOOL", shape: [] },
            {
              name: inner.op("Add", [
                "sum",
                inner.op("Gather", [given, inner.op("Unsqueeze", ["i", inner.ints([0])])]),
              ]),
              type: "FP32",
            },
          ],
        ),
      },
      1,
    );
    return b.op("Add", [given, total]);
  }),
  coupled("a running sum by Scan", (b, given) => scan(b, given)),
  coupled("a running sum by Scan from the end", (b, given) =>
    scan(b, given, { scan_input_directions: [1], scan_output_directions: [1] }),
  ),
  coupled("a running sum along axis -2", (b, given) => scan(b, given, { scan_input_axes: [-2] })),
  coupled("a maximum within a branch", (b, given) =>
    b.op("If", [yes(b)], {
      then_branch: body(b, [], (inner) => [
        { name: inner.op("Sub", [given, inner.op("ReduceMax", [given], { axes: [0] })]), type: "FP32" },
      ]),
      else_branch: body(b, [], (inner) => [{ name: inner.op("Identity", [given]), type: "FP32" }]),
    }),
  ),
  coupled("at random", (b, given) => b.op("Add", [given, b.op("RandomNormalLike", [given])])),
  coupled("at random, uniformly", (b, given) => b.op("Add", [given, b.op("RandomUniformLike", [given])])),
  coupled("drawn by chance", (b, given) => b.op("Bernoulli", [b.op("Sigmoid", [given])]), {
    opset: 15,
    inputs: [x("N", 64)],
  }),
  coupled("drawn from classes", (b, given) => ({
    name: b.op("Multinomial", [b.op("Clip", [given, b.floats([-1], []), b.floats([1], [])])], {
      sample_size: 32,
      dtype: 7,
    }),
    type: "INT64",
  })),
  coupled("with dropout in training", (b, given) => b.op("Dropout", [given, b.floats([0.5], []), yes(b)]), {
    inputs: [x("N", 64)],
  }),
];

/** A function of the model: "given" in, its result out. */
export const localFunction = (
  name: string,
  fill: (b: Builder, given: Name) => Name,
  calls: readonly string[] = [],
): object => {
  const inner = createBuilder(3, `${name}/`);
  const result = fill(inner, "given");
  const { node, initializer } = inner.parts();
  // functions have no initializers: they become constants
  const constants = initializer.map((t) => ({
    opType: "Constant",
    output: [Reflect.get(t, "name")],
    attribute: [{ name: "value", type: 4, t }],
  }));
  return {
    name,
    domain: "local",
    input: ["given"],
    output: [result],
    node: [...constants, ...node],
    opsetImport: [{ domain: "", version: 17 }, ...(calls.length > 0 ? [{ domain: "local", version: 1 }] : [])],
  };
};

const centred = localFunction("Centred", (b, given) =>
  b.op("Sub", [given, b.op("ReduceMean", [given], { axes: [0] })]),
);
const functions: GraphCase[] = [
  coupled("a function that takes the mean of the batch", (b, given) => b.op("Centred", [given], {}, "local"), {
    functions: [centred],
  }),
  coupled("a function in a function", (b, given) => b.op("Outer", [given], {}, "local"), {
    functions: [
      localFunction("Outer", (b, given) => b.op("Relu", [b.op("Centred", [given], {}, "local")]), ["Centred"]),
      centred,
    ],
  }),
  coupled(
    "a function whose input lies crosswise",
    (b, given) => b.op("Transpose", [b.op("Normalised", [b.op("Transpose", [given])], {}, "local")]),
    {
      functions: [localFunction("Normalised", (b, given) => b.op("Softmax", [given], { axis: 1 }))],
    },
  ),
];

export const COUPLED_FLOW: readonly GraphCase[] = [...flow, ...functions];
