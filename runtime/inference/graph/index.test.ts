import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import onnxProto from "onnx-proto";
import {
  type Builder,
  body,
  createBuilder,
  encode,
  type ModelOptions,
  type Name,
} from "../../../test/graphs/builder.ts";
import { localFunction } from "../../../test/graphs/corpus/coupled-flow.ts";
import { modelOf, stringsAttribute, value } from "../../../test/runtime/graphs.ts";
import { ANGLE_MODEL, newDirectory } from "../../../test/runtime/models.ts";
import { findingFor, type GraphFindings } from "./findings.ts";
import { examineGraph } from "./index.ts";

const { onnx } = onnxProto;

const findingsOf = (bytes: Uint8Array): GraphFindings => {
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, bytes);
  return examineGraph(file);
};
const built = (fill: (b: Builder, given: Name) => Name, options: ModelOptions = {}): GraphFindings => {
  const builder = createBuilder();
  const given = builder.input("x", "FP32", ["N", 4]);
  builder.output(fill(builder, given), "FP32");
  return findingsOf(encode(builder, options));
};
const reasonOf = ({ findings, reason }: GraphFindings): string => findings[0]?.reason ?? reason ?? "";

describe("what is said", () => {
  test("a real model is shown along its batch and along no other axis", () => {
    for (const file of [
      ANGLE_MODEL,
      ...["rec", "det"].map((name) => ANGLE_MODEL.replace("ppocr_mobile_v2.0_cls", `PP-OCRv4_${name}`)),
    ]) {
      const findings = examineGraph(file);
      const shown = findings.findings.filter(({ outputs }) => outputs !== undefined);
      assert.deepEqual(
        shown.map(({ axes }) => axes),
        [{ x: 0 }],
        file,
      );
      assert.deepEqual(Object.values(shown[0]?.outputs ?? {}), [0]);
    }
  });

  test("the node is named, with what it is and why", () => {
    const finding = built((b, given) => b.op("DequantizeLinear", b.ops("DynamicQuantizeLinear", [given], {}, 3)));
    assert.match(
      reasonOf(finding),
      /^node "node\/DynamicQuantizeLinear_\d+" \(DynamicQuantizeLinear\): its scale is that of the whole run, .*quantize_static/,
    );
    const domain = built((b, given) => b.op("Unique", [given], {}, "com.microsoft"));
    assert.match(reasonOf(domain), /\(com\.microsoft\.Unique\): /);
  });

  test("what is not known is named as such", () => {
    assert.match(
      reasonOf(built((b, given) => b.op("Frobnicate", [given]))),
      /\(Frobnicate\): what it does to a batch is not known/,
    );
    assert.match(
      reasonOf(built((b, given) => b.op("Relu", [given], {}, "my.ops"))),
      /what operators of "my\.ops" do to a batch is not known/,
    );
    assert.match(
      reasonOf(built((b, given) => b.op("Relu", [given]), { opset: 99 })),
      /are known from version 7 to 26, and the model imports 99/,
    );
  });

  test("a shape that the file only claims is not believed", () => {
    const builder = createBuilder();
    const given = builder.input("x", "FP32", ["N", 4]);
    const sum = builder.op("ReduceSum", [given], {});
    builder.output(sum, "FP32", ["N", 4]);
    const { findings } = findingsOf(encode(builder));
    assert.match(findings[0]?.reason ?? "", /it reduces all axes, the batch among them/);
  });

  test("an output that is declared of one element is told by what computes it", () => {
    const builder = createBuilder();
    const given = builder.input("x", "FP32", ["N", 4]);
    builder.output(builder.op("ArgMax", [given], { axis: 1, keepdims: 0 }), "INT64", [1]);
    assert.deepEqual(Object.values(findingsOf(encode(builder)).findings[0]?.outputs ?? {}), [0]);
  });

  test("sums of products are followed however they are written", () => {
    for (const equation of ["ij,jk->ik", "ij,jk", "...j,jk->...k", "i...,...k->ik", " i j , j k -> i k "]) {
      const findings = built((b, given) => b.op("Einsum", [given, b.weights(4, 4)], { equation }));
      assert.deepEqual(Object.values(findings.findings[0]?.outputs ?? {}), [0], equation);
    }
    for (const equation of ["ij,jk->k", "ba,ak->k", "bj,kb", "...,jk->jk", "ij", "ij,jk->ik->i", "i.j,jk->ik"]) {
      const findings = built((b, given) => b.op("Einsum", [given, b.weights(4, 4)], { equation }));
      assert.equal(findings.findings[0]?.outputs, undefined, equation);
    }
  });

  test("a value that may be given by the client is not taken for what the file holds", () => {
    const keeps = (irVersion: number): string => {
      const builder = createBuilder();
      const given = builder.input("x", "FP32", ["N", 4]);
      const shape = builder.ints([-1, 2, 2]);
      builder.input(shape, "INT64", [3]);
      builder.output(builder.op("Reshape", [given, shape]), "FP32");
      const findings = findingsOf(encode(builder, { irVersion, opset: 8 }));
      return findingFor(findings, ["x"], [0])?.reason ?? "";
    };
    assert.match(keeps(8), /its new shape is not known before the run/);
    assert.equal(keeps(3), "");
  });

  test("there is a finding for each way to join inputs", () => {
    const builder = createBuilder();
    const one = builder.input("one", "FP32", ["batch", "time"]);
    const state = builder.input("state", "FP32", [2, "batch", 4]);
    builder.output(builder.op("Relu", [one]), "FP32");
    builder.output(builder.op("Relu", [state]), "FP32");
    const findings = findingsOf(encode(builder));
    assert.deepEqual(
      findings.findings.map(({ axes }) => axes),
      [{ one: 0 }, { one: 0, state: 1 }, { one: 1 }],
    );
    assert.notEqual(findingFor(findings, ["one", "state"], [0, 1])?.outputs, undefined);
    assert.equal(findingFor(findings, ["one", "state"], [undefined, 1]), undefined);
  });
});

describe("a file that is meant to hurt", () => {
  test("functions that call each other by the thousand come to an end", () => {
    // each calls the next one eight times: 8^12 nodes
    const depth = 12;
    const functions = Array.from({ length: depth }, (_, i) =>
      localFunction(
        `F${i}`,
        (b, given) => {
          let value = given;
          for (let times = 0; times < 8; times++)
            value = i === depth - 1 ? b.op("Relu", [value]) : b.op(`F${i + 1}`, [value], {}, "local");
          return value;
        },
        ["local"],
      ),
    );
    assert.match(
      reasonOf(built((b, given) => b.op("F0", [given], {}, "local"), { functions })),
      /has too many functions and loops to examine/,
    );
  });

  test("graphs that come in parts, which are put together when they are loaded", () => {
    const part = (fill: (b: Builder, given: Name) => void, prefix: string): Uint8Array => {
      const builder = createBuilder(1, prefix);
      fill(builder, "x");
      return encode(builder);
    };
    const apart = part((b) => b.output(b.op("Relu", [b.input("x", "FP32", ["N", 4])]), "FP32", ["N", 4]), "a");
    const coupled = part((b, given) => b.output(b.op("Softmax", [given], { axis: 0 }), "FP32", ["N", 4]), "b");
    assert.deepEqual(Object.values(findingsOf(apart).findings[0]?.outputs ?? {}), [0]);
    for (const bytes of [Buffer.concat([coupled, apart]), Buffer.concat([apart, coupled])]) {
      const { findings, reason } = findingsOf(bytes);
      assert.ok(findings.every(({ outputs }) => outputs === undefined));
      assert.match(reason ?? "", /two graphs/);
    }
  });

  test("a function that calls itself comes to an end", () => {
    const own = localFunction("Self", (b, given) => b.op("Self", [given], {}, "local"), ["local"]);
    assert.match(
      reasonOf(built((b, given) => b.op("Self", [given], {}, "local"), { functions: [own] })),
      /more than 24 deep/,
    );
  });

  test("graphs within graphs come to an end", () => {
    const nested = (b: Builder, given: Name, left: number): Name => {
      const deeper = (): { graph: object } =>
        body(b, [], (inner) => [
          { name: left === 0 ? inner.op("Relu", [given]) : nested(inner, given, left - 1), type: "FP32" },
        ]);
      return b.op("If", [b.held("BOOL", [], [1])], {
        then_branch: deeper(),
        else_branch: body(b, [], (inner) => [{ name: inner.op("Neg", [given]), type: "FP32" }]),
      });
    };
    assert.match(reasonOf(built((b, given) => nested(b, given, 40))), /more than \d+ /);
    assert.equal(reasonOf(built((b, given) => nested(b, given, 10))), "");
  });

  test("sizes that are multiplied again and again stay small", () => {
    const finding = built((b, given) => {
      let size = b.op("Shape", [given]);
      for (let times = 0; times < 100; times++) size = b.op("Mul", [size, size]);
      return b.op("Reshape", [given, size]);
    });
    assert.match(reasonOf(finding), /it computes with the number of rows in the batch/);
  });

  test("a tensor that claims to be endless, and one that is cut off", () => {
    const model = (tensor: object): Uint8Array =>
      onnx.ModelProto.encode(
        onnx.ModelProto.fromObject({
          irVersion: 8,
          opsetImport: [{ version: 17 }],
          graph: {
            initializer: [tensor],
            input: [
              {
                name: "x",
                type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: "N" }, { dimValue: 4 }] } } },
              },
            ],
            output: [{ name: "y" }],
            node: [{ opType: "Add", input: ["x", "w"], output: ["y"] }],
          },
        }),
      ).finish();
    for (const dims of [[-1], [2 ** 40, 2 ** 40], [1e5, 4]]) {
      assert.match(
        reasonOf(findingsOf(model({ name: "w", dataType: 1, dims, rawData: new Uint8Array(3) }))),
        /size of its own along the batch|^$/,
      );
    }
    const whole = model({ name: "w", dataType: 1, dims: [4], rawData: new Uint8Array(16) });
    for (let length = 0; length < whole.length; length++) {
      const { findings, reason } = findingsOf(whole.subarray(0, length));
      assert.ok(reason !== undefined || findings.every(({ outputs }) => outputs === undefined), `${length} bytes`);
    }
  });
});

test("a model that is changed before it is loaded is followed as it is loaded", () => {
  const mapType = { keyType: 8, valueType: { tensorType: { elemType: 1 } } };
  const file = modelOf(
    {
      input: [value("x", "FP32", ["n", 2]), value("scale", "FP32", [1])],
      output: [{ name: "p", type: { sequenceType: { elemType: { mapType } } } }],
      node: [
        { opType: "Mul", input: ["x", "scale"], output: ["scaled"] },
        { opType: "Softmax", input: ["scaled"], output: ["soft"] },
        {
          ...{ opType: "ZipMap", domain: "ai.onnx.ml", input: ["soft"], output: ["p"] },
          attribute: [stringsAttribute("classlabels_strings", "no", "yes")],
        },
      ],
      initializer: [{ name: "scale", dataType: 1, dims: [1], floatData: [3] }],
    },
    { opsets: { "": 17, "ai.onnx.ml": 1 } },
  );
  const finding = findingFor(examineGraph(file), ["x", "scale"], [0, undefined]);
  assert.deepEqual(finding?.outputs, { p: 0, p_classes: 0 }, JSON.stringify(finding));
});
