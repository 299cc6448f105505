import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { identityModel, loopModel, unknownOperatorModel } from "../../test/runtime/models.ts";
import { Failure } from "../errors/termination.ts";
import { bytesOf, type NumericArray, type Tensor } from "../tensors/index.ts";
import { encodeStrings } from "../tensors/strings.ts";
import { InferenceError } from "./errors.ts";
import { warmUp } from "./first-run.ts";
import { loadModel } from "./session.ts";

const CPU = { executionProvider: "cpu", intraOpThreads: 1 } as const;

const numeric = (datatype: Tensor["datatype"], array: NumericArray): Tensor => ({
  datatype,
  shape: [array.length],
  bytes: bytesOf(array),
});

describe("the engine", () => {
  it("gives every type back bit by bit, from aligned bytes and others", async () => {
    const tensors: [string, Tensor][] = [
      ["bool", numeric("BOOL", Uint8Array.of(0, 1))],
      ["u8", numeric("UINT8", Uint8Array.of(0, 255))],
      ["u16", numeric("UINT16", Uint16Array.of(0, 65535))],
      ["u32", numeric("UINT32", Uint32Array.of(0, 2 ** 32 - 1))],
      ["u64", numeric("UINT64", BigUint64Array.of(0n, 2n ** 64n - 1n))],
      ["i8", numeric("INT8", Int8Array.of(-128, 127))],
      ["i16", numeric("INT16", Int16Array.of(-32768, 32767))],
      ["i32", numeric("INT32", Int32Array.of(-(2 ** 31), 2 ** 31 - 1))],
      ["i64", numeric("INT64", BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n))],
      ["f16", numeric("FP16", Uint16Array.of(0x3c00, 0x7e00))],
      ["f32", numeric("FP32", Float32Array.of(Number.NaN, 1e-40))],
      ["f64", numeric("FP64", Float64Array.of(Number.POSITIVE_INFINITY, -0))],
      ["text", { datatype: "BYTES", shape: [2], bytes: encodeStrings(["", "grüße 🚢"]) }],
    ];
    const file = identityModel(
      Object.fromEntries(tensors.map(([name, { datatype }]) => [name, { type: datatype, shape: ["n"] }])),
    );
    const engine = await loadModel(file, CPU);
    const names = tensors.map(([name]) => `${name}.out`);
    for (const offset of [0, 1]) {
      const inputs = tensors.map(([name, tensor]): [string, Tensor] => {
        const memory = new Uint8Array(tensor.bytes.length + offset);
        memory.set(tensor.bytes, offset);
        return [name, { ...tensor, bytes: memory.subarray(offset) }];
      });
      const outputs = await engine.run(new Map(inputs), names);
      for (const [name, { datatype, shape, bytes }] of tensors) {
        const got = outputs.get(`${name}.out`);
        assert.deepEqual([name, got?.datatype, got?.shape], [name, datatype, shape]);
        assert.deepEqual([...(got?.bytes ?? [])], [...bytes], name);
      }
    }
    assert.equal((await warmUp(engine)).outcome, "passed");
  });

  it("tells the names of open dimensions", async () => {
    const engine = await loadModel(identityModel({ x: { type: "FP32", shape: ["batch", 3, ""] } }), CPU);
    const [input] = engine.inputs;
    assert.deepEqual(input, { name: "x", datatype: "FP32", shape: [null, 3, null], symbols: ["batch", null, null] });
  });

  it("blames the input where it does not fit, and lives on", async () => {
    const engine = await loadModel(loopModel(), CPU);
    const wrong = numeric("INT64", BigInt64Array.of(1n, 2n));
    await assert.rejects(engine.run(new Map([["n", wrong]]), ["sum"]), (error) => {
      assert.ok(error instanceof InferenceError);
      assert.equal(error.blame, "input", error.message);
      return true;
    });
    const right: Tensor = { datatype: "INT64", shape: [], bytes: bytesOf(BigInt64Array.of(3n)) };
    const outputs = await engine.run(new Map([["n", right]]), ["sum"]);
    assert.deepEqual(outputs.get("sum"), { datatype: "INT64", shape: [], bytes: bytesOf(BigInt64Array.of(3n)) });
  });

  it("a model that does not load is invalid, and a device that is not there is named", async () => {
    await assert.rejects(loadModel(unknownOperatorModel("NoSuchThing"), CPU), (error) => {
      assert.ok(error instanceof Failure && error.code === "ModelInvalid");
      assert.match(error.message, /NoSuchThing/);
      return true;
    });
    const cuda = { executionProvider: "cuda", intraOpThreads: 1 } as const;
    await assert.rejects(loadModel(loopModel(), cuda), (error) => {
      return error instanceof Failure && error.code === "ExecutionProviderUnavailable";
    });
  });
});
