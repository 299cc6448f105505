import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { type Graph, modelOf, value } from "../../test/runtime/graphs.ts";
import { ort } from "../engine/ort.ts";
import { elementName } from "./interface.ts";
import { ONNXRUNTIME } from "./onnxruntime-limits.ts";
import { checkModelFile } from "./verify.ts";

const { opsets, irVersion } = ONNXRUNTIME;
const ofType = (input: number, output: number): Graph => ({
  input: [value("x", input, ["n"])],
  output: [value("y", output, ["n"])],
  node: [{ opType: "Cast", input: ["x"], output: ["y"], attribute: [{ name: "to", type: 2, i: output }] }],
});
const relu = ofType(1, 1);
const refused = (file: string, message: RegExp): void =>
  assert.throws(() => checkModelFile(file), { code: "ModelInvalid", message });
const loads = async (file: string): Promise<boolean> => {
  try {
    await (await ort.InferenceSession.create(file, { logSeverityLevel: 4 })).release();
    return true;
  } catch {
    return false;
  }
};

describe("element types that no request can carry are named, at both ends", () => {
  const names: Record<number, string> = {
    ...{
      14: "complex64",
      15: "complex128",
      16: "bfloat16",
      17: "float8e4m3fn",
      18: "float8e4m3fnuz",
      19: "float8e5m2",
    },
    ...{ 20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1", 24: "float8e8m0", 25: "uint2", 26: "int2" },
    27: "element type 27",
  };
  for (const [number, name] of Object.entries(names)) {
    test(name, () => {
      const type = Number(number);
      assert.equal(elementName(type), name);
      const options = { irVersion: 10, opsets: { "": 21 } };
      refused(
        modelOf(ofType(type, 1), options),
        new RegExp(`input "x" has type ${name}, which cannot be served: .*in the`),
      );
      refused(
        modelOf(ofType(1, type), options),
        new RegExp(`output "y" has type ${name}, which cannot be served: .*in the`),
      );
      checkModelFile(
        modelOf({
          ...ofType(1, 1),
          node: [
            { opType: "Cast", input: ["x"], output: ["t"], attribute: [{ name: "to", type: 2, i: type }] },
            { opType: "Cast", input: ["t"], output: ["y"], attribute: [{ name: "to", type: 2, i: 1 }] },
          ],
        }),
      );
    });
  }
});

describe("models that are newer than onnxruntime", () => {
  test("the limits are those of the onnxruntime that is installed", async () => {
    const installed: unknown = createRequire(import.meta.url)("onnxruntime-node/package.json");
    assert.ok(typeof installed === "object" && installed !== null && "version" in installed);
    assert.equal(installed.version, ONNXRUNTIME.version);
    const withOpsets = (versions: Record<string, number>) => modelOf(relu, { irVersion: 10, opsets: versions });
    assert.equal(await loads(modelOf(relu, { irVersion })), true);
    assert.equal(await loads(modelOf(relu, { irVersion: irVersion + 1 })), false);
    for (const [domain, most] of opsets) {
      if (!Number.isFinite(most)) continue;
      const versions = (version: number) => (domain === "" ? { "": version } : { "": 17, [domain]: version });
      assert.equal(await loads(withOpsets(versions(most))), true, `${domain} ${most}`);
      checkModelFile(withOpsets(versions(most)));
      assert.equal(await loads(withOpsets(versions(most + 1))), false, `${domain} ${most + 1}`);
      refused(
        withOpsets(versions(most + 1)),
        new RegExp(`opset.* ${most + 1}, .*takes up to ${most}: export it with opset`),
      );
    }
  });

  test("are told what to do, with the numbers", () => {
    refused(
      modelOf(relu, { irVersion: 14 }),
      /it has IR version 14, this server \(onnxruntime 1\.30\.0\) takes up to 13: save it with ir_version 13 or lower .*; the opset may stay$/,
    );
    refused(
      modelOf(relu, { irVersion: 13, opsets: { "": 28 } }),
      /it has opset 28, .* up to 26: export it with opset 26 or lower/,
    );
    refused(
      modelOf(relu, { irVersion: 14, opsets: { "": 28, "ai.onnx.ml": 6 } }),
      /IR version 14, .*lower \(model\.ir_version = 13; .*\); and it has opset 28, .*; and it has opset of "ai\.onnx\.ml" 6, .* up to 5/,
    );
    checkModelFile(modelOf(relu, { irVersion: 13, opsets: { "": 26, mine: 99 } }));
    const withFunction = (version: number): string => {
      const body = { opType: "Relu", input: ["a"], output: ["b"] };
      const one = { name: "F", domain: "mine", input: ["a"], output: ["b"], node: [body] };
      const functions = [{ ...one, opsetImport: [{ domain: "", version }] }];
      const node = [{ opType: "F", domain: "mine", input: ["x"], output: ["y"] }];
      return modelOf({ ...relu, node }, { opsets: { "": 17, mine: 1 }, more: { functions } });
    };
    checkModelFile(withFunction(26));
    refused(withFunction(28), /it has opset 28, .* up to 26: export it with opset 26 or lower/);
  });
});

test("values that are no tensors are named, and so are the tensors that there are", () => {
  const sequence = { name: "s", type: { sequenceType: { elemType: { tensorType: { elemType: 1 } } } } };
  const kinds: [type: object, word: string][] = [
    [sequence.type, "a sequence"],
    [{ sequenceType: { elemType: { mapType: { keyType: 7, valueType: {} } } } }, "a sequence of maps"],
    [{ mapType: { keyType: 7, valueType: {} } }, "a map"],
    [{ optionalType: { elemType: { tensorType: { elemType: 1 } } } }, "an optional"],
    [{ sparseTensorType: { elemType: 1 } }, "a sparse tensor"],
  ];
  for (const [type, word] of kinds) {
    refused(modelOf({ ...relu, input: [{ name: "x", type }] }), new RegExp(`input "x" is ${word}, and only tensors`));
    const other = { name: "s", type };
    refused(
      modelOf({ ...relu, output: [...relu.output, other, value("z", "INT64", [1])] }),
      new RegExp(`output "s" is ${word}, and only tensors are served: save the model without it, with "y", "z" alone`),
    );
    refused(modelOf({ ...relu, output: [other] }), new RegExp(`output "s" is ${word}, and only tensors are served$`));
  }
});
