import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import {
  askRoutes,
  type Graph,
  intsAttribute,
  type ModelOptions,
  modelOf,
  serviceOf,
  stringsAttribute,
  value,
} from "../../test/runtime/graphs.ts";
import { newDirectory } from "../../test/runtime/models.ts";
import { loadModel, writeOptimizedCopy } from "../engine/session.ts";
import { createOpenInference } from "../protocols/open-inference/index.ts";
import { createRoutes } from "../protocols/tensorflow-serving/rest.ts";
import { checkModelFile } from "./verify.ts";

const CPU = { executionProvider: "cpu", intraOpThreads: 1 } as const;

/** The model behind both protocols. */
const served = async (graph: Graph, options?: ModelOptions) => {
  const file = modelOf(graph, options);
  checkModelFile(file);
  const service = await serviceOf(file);
  const [v1, v2] = [askRoutes(createRoutes(service)), askRoutes(createOpenInference(service))];
  return {
    file,
    calls: service.calls,
    model: service.model,
    predict: (body: object) => v1("/v1/models/m:predict", JSON.stringify(body)),
    classify: (body: object) => v1("/v1/models/m:classify", JSON.stringify(body)),
    infer: (inputs: object[]) => v2("/v2/models/m/infer", JSON.stringify({ inputs })),
    v1Metadata: () => v1("/v1/models/m/metadata"),
    v2Metadata: () => v2("/v2/models/m"),
  };
};
const tensor = (name: string, shape: number[], ...data: unknown[]) => ({ name, shape, datatype: "FP32", data });

describe("inputs that have a default", () => {
  const scaled = (initializer: object, type: Parameters<typeof value>[1] = "FP32"): Graph => ({
    input: [value("x", "FP32", ["n"]), value("scale", type, [1])],
    output: [value("y", "FP32", ["n"])],
    node: [
      { opType: "Cast", input: ["scale"], output: ["s"], attribute: [{ name: "to", type: 2, i: 1 }] },
      { opType: "Mul", input: ["x", "s"], output: ["y"] },
    ],
    initializer: [{ name: "scale", dims: [1], ...initializer }],
  });

  test("may be given or left out, in every form", async () => {
    const { predict, infer, v1Metadata, v2Metadata, calls } = await served(scaled({ dataType: 1, floatData: [3] }));
    const y = async (inputs: object[]) => {
      const answer = await infer(inputs);
      return JSON.stringify(answer);
    };
    assert.match(await y([tensor("x", [2], 1, 2)]), /"data":\[3,6\]/);
    assert.match(await y([tensor("x", [2], 1, 2), tensor("scale", [1], 10)]), /"data":\[10,20\]/);
    assert.deepEqual(await predict({ instances: [1, 2] }), { predictions: [3, 6] });
    assert.deepEqual(await predict({ instances: [{ x: 1, scale: null }, { x: 2 }] }), { predictions: [3, 6] });
    assert.deepEqual(await predict({ inputs: [1, 2] }), { outputs: [3, 6] });
    assert.deepEqual(await predict({ inputs: { x: [1, 2], scale: [10] } }), { outputs: [10, 20] });
    assert.deepEqual(await predict({ instances: [{ x: 1, scale: 10 }] }), { predictions: [10] });
    // a request that has left it out is, behind the protocols, like one that has given the same
    for (const { inputs } of calls) assert.deepEqual([...inputs.keys()].sort(), ["scale", "x"]);
    assert.match(
      JSON.stringify(await v2Metadata()),
      /"name":"scale","datatype":"FP32","shape":\[1\],"parameters":\{"optional":true\}/,
    );
    assert.match(JSON.stringify(await v1Metadata()), /"scale":/);
  });

  test("are checked as others are", async () => {
    const { predict, infer } = await served(scaled({ dataType: 1, floatData: [3] }));
    const x = tensor("x", [1], 1);
    await assert.rejects(infer([x, tensor("scale", [2], 1, 2)]), { message: /input "scale": shape is \[2\]/ });
    await assert.rejects(infer([x, { ...tensor("scale", [1], 1), datatype: "FP64" }]), {
      message: /input "scale": datatype/,
    });
    await assert.rejects(infer([tensor("scale", [1], 1)]), {
      message: 'input "x" is missing; send every input that has no default',
    });
    await assert.rejects(predict({ instances: [{ x: 1 }, { x: 2, scale: 1 }] }), {
      message: /instance 0: input "scale" is missing, and instance 1 has it/,
    });
    await assert.rejects(predict({ instances: [{ x: 1, scale: 1 }, { x: 2 }] }), {
      message: /instance 1: input "scale" is missing, and instance 0 has it/,
    });
  });

  test("of every type, raw or not", async () => {
    const three: [type: Parameters<typeof value>[1], initializer: object][] = [
      ["FP64", { dataType: 11, doubleData: [3] }],
      ["INT64", { dataType: 7, int64Data: [3] }],
      ["INT32", { dataType: 6, int32Data: [3] }],
      ["INT8", { dataType: 3, int32Data: [3] }],
      ["UINT16", { dataType: 4, int32Data: [3] }],
      ["UINT64", { dataType: 13, uint64Data: [3] }],
      ["FP16", { dataType: 10, int32Data: [0x4200] }],
      ["FP32", { dataType: 1, rawData: Buffer.from(Float32Array.of(3).buffer) }],
      ["BYTES", { dataType: 8, stringData: [Buffer.from("3")] }],
    ];
    for (const [type, initializer] of three) {
      const { predict } = await served(scaled(initializer, type));
      assert.deepEqual(await predict({ instances: [1, 2] }), { predictions: [3, 6] }, String(type));
    }
    const { model, predict } = await served(scaled({ dataType: 6, int32Data: [-3] }, "INT32"));
    assert.deepEqual(await predict({ instances: [1, 2] }), { predictions: [-3, -6] });
    assert.equal(model.inputs.length, 2);
  });

  test("that are weights, or of an old version of the format, are none", async () => {
    const many = Array.from({ length: 40 }, (_, i) => `w${i}`);
    const weights: Graph = {
      input: [value("x", "FP32", ["n"]), ...many.map((name) => value(name, "FP32", [1]))],
      output: [value("y", "FP32", ["n"])],
      node: [{ opType: "Sum", input: ["x", ...many], output: ["y"] }],
      initializer: many.map((name) => ({ name, dataType: 1, dims: [1], floatData: [1] })),
    };
    const old = scaled({ dataType: 1, floatData: [3] });
    const large = {
      ...old,
      input: [value("x", "FP32", [2000]), value("scale", "FP32", [2000])],
      output: [value("y", "FP32", [2000])],
      initializer: [{ name: "scale", dataType: 1, dims: [2000], floatData: Array(2000).fill(3) }],
    };
    for (const [graph, irVersion] of [
      [weights, 8],
      [old, 3],
      [large, 8],
    ] as const) {
      const { model } = await served(graph, { irVersion, opsets: { "": 13 } });
      assert.deepEqual(
        model.inputs.map(({ name }) => name),
        ["x"],
      );
    }
  });

  test("beside weights in another file, and in the copy that shards share", async () => {
    const graph = scaled({ dataType: 1, floatData: [3] });
    const file = modelOf({
      ...graph,
      node: [
        ...graph.node.slice(0, 1),
        { opType: "Mul", input: ["x", "s"], output: ["z"] },
        { opType: "Add", input: ["z", "w"], output: ["y"] },
      ],
      initializer: [
        ...(graph.initializer ?? []),
        { name: "w", dataType: 1, dims: [1], dataLocation: 1, externalData: [{ key: "location", value: "w.bin" }] },
      ],
    });
    writeFileSync(join(dirname(file), "w.bin"), Buffer.from(Float32Array.of(100).buffer));
    checkModelFile(file);
    const to = newDirectory();
    await writeOptimizedCopy(file, to, 1);
    for (const engine of [
      await loadModel(file, CPU),
      await loadModel(`${to}/model.onnx`, { ...CPU, optimized: true }),
    ]) {
      const [x, scale] = engine.inputs;
      assert.deepEqual([x?.name, scale?.name], ["x", "scale"]);
      assert.equal(x?.default, undefined);
      const bytes = Buffer.from(scale?.default?.base64 ?? "", "base64");
      assert.deepEqual(scale?.default?.shape, [1]);
      assert.equal(bytes.readFloatLE(), 3);
      const one = { datatype: "FP32" as const, shape: [1], bytes: Buffer.from(Float32Array.of(2).buffer) };
      const answers = await engine.run(
        new Map([
          ["x", one],
          ["scale", one],
        ]),
        ["y"],
      );
      assert.equal(Buffer.from(answers.get("y")?.bytes ?? []).readFloatLE(), 104);
    }
  });
});

describe("inputs of any number of dimensions", () => {
  const anything: Graph = {
    input: [value("x", "FP32", undefined)],
    output: [value("y", "FP32", undefined)],
    node: [{ opType: "Relu", input: ["x"], output: ["y"] }],
  };

  test("take any, and are told as such", async () => {
    const { predict, infer, v1Metadata, v2Metadata } = await served(anything);
    for (const shape of [[], [2], [2, 2], [1, 2, 1, 1]]) {
      const count = shape.reduce((product, size) => product * size, 1);
      const text = JSON.stringify(await infer([tensor("x", shape, ...Array(count).fill(1))]));
      assert.ok(text.includes(`"shape":${JSON.stringify(shape)}`), text);
    }
    assert.deepEqual(await predict({ inputs: [[1, -2]] }), { outputs: [[1, 0]] });
    assert.deepEqual(await predict({ inputs: 3 }), { outputs: 3 });
    assert.deepEqual(
      await predict({
        instances: [
          [1, -2],
          [3, 4],
        ],
      }),
      {
        predictions: [
          [1, 0],
          [3, 4],
        ],
      },
    );
    const v1 = JSON.stringify(await v1Metadata());
    assert.equal(v1.match(/"tensor_shape":\{"dim":\[\],"unknown_rank":true\}/g)?.length, 2);
    const v2 = JSON.stringify(await v2Metadata());
    assert.equal(v2.match(/"shape":\[\],"parameters":\{"unknown_rank":true\}/g)?.length, 2);
  });

  test("are not what a scalar is", async () => {
    const { infer, v1Metadata, v2Metadata } = await served({
      ...anything,
      input: [value("x", "FP32", [])],
      output: [value("y", "FP32", [])],
    });
    await assert.rejects(infer([tensor("x", [1], 1)]), { message: /shape is \[1\], the model wants \[\]/ });
    assert.ok(JSON.stringify(await v1Metadata()).includes('"unknown_rank":false'));
    assert.ok(!JSON.stringify(await v2Metadata()).includes("parameters"));
  });
});

describe("maps of classes and probabilities, as scikit-learn's converters give them", () => {
  const zipMap = (labels: object, keyType: number): Graph => ({
    input: [value("x", "FP32", ["n", 2])],
    output: [
      {
        name: "p",
        type: { sequenceType: { elemType: { mapType: { keyType, valueType: { tensorType: { elemType: 1 } } } } } },
      },
      value("label", "INT64", ["n"]),
    ],
    node: [
      {
        opType: "ArgMax",
        input: ["x"],
        output: ["label"],
        attribute: [
          { name: "axis", type: 2, i: 1 },
          { name: "keepdims", type: 2, i: 0 },
        ],
      },
      { opType: "Softmax", input: ["x"], output: ["soft"] },
      { opType: "ZipMap", domain: "ai.onnx.ml", input: ["soft"], output: ["p"], attribute: [labels] },
    ],
  });
  const strings = zipMap(stringsAttribute("classlabels_strings", "no", "é"), 8);

  test("come as two tensors, rows for rows", async () => {
    for (const options of [
      { opsets: { "": 17, "ai.onnx.ml": 1 } },
      { irVersion: 3, opsets: { "": 9, "ai.onnx.ml": 1 } },
    ]) {
      const { model, predict, classify } = await served(strings, options);
      assert.deepEqual(
        model.outputs.map(({ name, datatype, shape, symbols }) => [name, datatype, shape, symbols]),
        [
          ["p", "FP32", [null, 2], ["n", null]],
          ["p_classes", "BYTES", [null, 2], ["n", null]],
          ["label", "INT64", [null], ["n"]],
        ],
      );
      const half = { label: 0, p: [0.5, 0.5], p_classes: ["no", "é"] };
      assert.deepEqual(
        await predict({
          instances: [
            [1, 1],
            [2, 2],
          ],
        }),
        { predictions: [half, half] },
      );
      assert.deepEqual(await classify({ examples: [{ x: [1, 1] }] }), {
        results: [
          [
            ["no", 0.5],
            ["é", 0.5],
          ],
        ],
      });
    }
  });

  test("with whole numbers for keys, and without other operators of ONNX", async () => {
    const ints = zipMap(intsAttribute("classlabels_int64s", -1, 2 ** 40), 7);
    const { predict, classify } = await served(ints, { opsets: { "": 17, "ai.onnx.ml": 1 } });
    assert.deepEqual(await classify({ examples: [{ x: [1, 1] }] }), {
      results: [
        [
          ["-1", 0.5],
          [String(2 ** 40), 0.5],
        ],
      ],
    });
    assert.deepEqual(await predict({ instances: [[1, 1]] }), {
      predictions: [{ label: 0, p: [0.5, 0.5], p_classes: [-1, 2 ** 40] }],
    });
    const scaler = { opType: "Scaler", domain: "ai.onnx.ml", input: ["x"], output: ["soft"] };
    const floats = [
      [0, 0],
      [1, 1],
    ].map((all, i) => ({ name: ["offset", "scale"][i], type: 6, floats: all }));
    const [p] = ints.output;
    const only = await served(
      {
        input: ints.input,
        output: p === undefined ? [] : [p],
        node: [{ ...scaler, attribute: floats }, ...ints.node.slice(2)],
      },
      { opsets: { "ai.onnx.ml": 1 } },
    );
    assert.deepEqual(await only.predict({ instances: [[1, 2]] }), {
      predictions: [{ p: [1, 2], p_classes: [-1, 2 ** 40] }],
    });
  });

  test("in the copy that shards share", async () => {
    const file = modelOf(strings, { opsets: { "": 17, "ai.onnx.ml": 1 } });
    const to = newDirectory();
    await writeOptimizedCopy(file, to, 1);
    const { outputs } = await loadModel(`${to}/model.onnx`, { ...CPU, optimized: true });
    assert.deepEqual(
      outputs.map(({ name }) => name),
      ["p", "p_classes", "label"],
    );
  });

  test("whose maker is another operator are refused with what can be had", () => {
    const file = modelOf({ ...strings, node: strings.node.slice(0, 2) }, { opsets: { "": 17 } });
    assert.throws(() => checkModelFile(file), { message: /output "p" is a sequence of maps, .*with "label" alone/ });
  });
});
