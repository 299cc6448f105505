import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dividedByZeroModel, gatherModel } from "../../test/runtime/models.ts";
import { Failure } from "../errors/termination.ts";
import { type Datatype, elements, type Tensor } from "../tensors/index.ts";
import { InferenceError } from "./errors.ts";
import { warmUp } from "./first-run.ts";
import { type Engine, loadModel } from "./session.ts";

/** A model of one input, which notes what it is run with, and answers as `answer` says. */
const fake = (
  datatype: Datatype,
  shape: (number | null)[],
  answer: (tensor: Tensor, run: number) => string | undefined,
) => {
  const runs: Tensor[] = [];
  const info = { name: "x", datatype, shape, symbols: shape.map(() => null) };
  const engine: Engine = {
    inputs: [info],
    outputs: [],
    async run(inputs) {
      const tensor = inputs.get("x") ?? assert.fail("no input");
      runs.push(tensor);
      const message = answer(tensor, runs.length);
      if (message !== undefined) throw new InferenceError("internal", message);
      return new Map();
    },
  };
  return { engine, runs };
};

const CPU = { executionProvider: "cpu", intraOpThreads: 1 } as const;
const fails = (): string => "Integer division by zero";

describe("the first inference", () => {
  it("tries ones where zeros are refused, of every type", async () => {
    const types: Datatype[] = ["BOOL", "UINT8", "INT8", "INT32", "INT64", "UINT64", "FP32", "FP64"];
    for (const datatype of types) {
      const { engine, runs } = fake(datatype, [2], (_, run) => (run === 1 ? fails() : undefined));
      assert.deepEqual(await warmUp(engine), { outcome: "passed", shapes: { x: [2] } });
      assert.ok(datatype !== "BYTES");
      const values = runs.map(({ bytes }) => [...elements(datatype, bytes)].map(Number));
      assert.deepEqual(
        values,
        [
          [0, 0],
          [1, 1],
        ],
        datatype,
      );
    }
    const half = fake("FP16", [1], (_, run) => (run === 1 ? fails() : undefined));
    await warmUp(half.engine);
    assert.deepEqual([...(half.runs[1]?.bytes ?? [])], [0x00, 0x3c]);
    const text = fake("BYTES", [1], (_, run) => (run === 1 ? fails() : undefined));
    await warmUp(text.engine);
    assert.deepEqual(
      text.runs.map(({ bytes }) => [...bytes]),
      [
        [0, 0, 0, 0],
        [1, 0, 0, 0, 0x31],
      ],
    );
  });

  it("a model that refuses all that was made up is unproven, and the first reason is told", async () => {
    const fixed = fake("FP32", [2], (_, run) => `reason ${run}`);
    assert.deepEqual(await warmUp(fixed.engine), { outcome: "unproven", reason: "reason 1" });
    assert.equal(fixed.runs.length, 2);
    const open = fake("FP32", [null, 2], fails);
    assert.equal((await warmUp(open.engine)).outcome, "unproven");
    assert.ok(open.runs.length <= 12, `${open.runs.length} runs`);
  });

  it("begins no further attempt after ten seconds", async () => {
    let now = 0;
    const { engine, runs } = fake("FP32", [null, null, null, null], () => {
      now += 6000;
      return fails();
    });
    assert.equal((await warmUp(engine, () => now)).outcome, "unproven");
    assert.equal(runs.length, 2);
  });

  it("fails where no value could help: no kernel, no memory, no device", async () => {
    for (const message of [
      "NOT_IMPLEMENTED : Could not find an implementation for Foo(1)",
      "Failed to allocate memory for requested buffer of size 99",
      "CUDA failure 2: out of memory",
    ]) {
      const { engine, runs } = fake("FP32", [2], () => message);
      await assert.rejects(warmUp(engine), (error) => error instanceof Failure && error.code === "WarmUpFailed");
      assert.equal(runs.length, 1);
    }
    const large = fake("FP32", [null], (_, run) => (run < 3 ? fails() : "Failed to allocate memory"));
    assert.equal((await warmUp(large.engine)).outcome, "unproven", "only larger shapes wanted too much memory");
  });

  it("onnxruntime's own words", async () => {
    const division = await warmUp(await loadModel(dividedByZeroModel(), CPU));
    assert.ok(division.outcome === "unproven");
    assert.match(division.reason, /div/i);
    const gather = await warmUp(await loadModel(gatherModel(1), CPU));
    assert.ok(gather.outcome === "unproven");
    assert.match(gather.reason, /Gather/);
  });
});
