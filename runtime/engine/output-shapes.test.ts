import assert from "node:assert/strict";
import { test } from "node:test";
import { denseModel, identityModel } from "../../test/runtime/models.ts";
import { trees, undeclared } from "../../test/runtime/row-models.ts";
import { warmUp } from "./first-run.ts";
import { givenOutputs } from "./output-shapes.ts";
import { type Engine, loadModel } from "./session.ts";

const CPU = { executionProvider: "cpu", intraOpThreads: 1 } as const;

/** The shapes as declared and as told, and how often the model was run for that. */
const shapesOf = async (file: string) => {
  const engine = await loadModel(file, CPU);
  const warm = await warmUp(engine);
  let runs = 0;
  const counted: Engine = {
    ...engine,
    run: (inputs, outputs) => {
      runs += 1;
      return engine.run(inputs, outputs);
    },
  };
  const outputs = await givenOutputs(counted, warm);
  return { declared: engine.outputs.map(({ shape }) => shape), given: outputs.map(({ shape }) => shape), runs };
};

test("an output that is declared [1] and has as many rows as come in is open", async () => {
  assert.deepEqual(await shapesOf(trees([1])), { declared: [[1], [null, 3]], given: [[null], [null, 3]], runs: 1 });
});

test("an output without a declared shape has as many dimensions as it was given with, all of them open", async () => {
  assert.deepEqual(await shapesOf(undeclared()), { declared: [[]], given: [[null, null]], runs: 1 });
});

test("what is declared open, or without a batch, stays as it is, and no run is spent on it", async () => {
  assert.deepEqual((await shapesOf(denseModel([4, 3]))).runs, 0);
  const fixed = await shapesOf(identityModel({ x: { type: "FP32", shape: [1, 4] } }));
  assert.deepEqual([fixed.given, fixed.runs], [[[1, 4]], 0]);
});

test("an output that stays [1] whatever comes in is believed", async () => {
  const both = await shapesOf(
    identityModel({ x: { type: "FP32", shape: ["n", 4] }, k: { type: "INT64", shape: [1] } }),
  );
  assert.deepEqual(both.given, [[null, 4], [1]]);
  assert.equal(both.runs, 1);
});
