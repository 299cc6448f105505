/** The proof with the real onnxruntime, and by its runs alone: nobody looks at the graph here. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ANGLE_MODEL, denseModel } from "../../../test/runtime/models.ts";
import * as models from "../../../test/runtime/row-models.ts";
import { warmUp } from "../../engine/first-run.ts";
import { givenOutputs } from "../../engine/output-shapes.ts";
import { loadModel } from "../../engine/session.ts";
import type { Tensor } from "../../tensors/index.ts";
import type { GraphFindings } from "../graph/findings.ts";
import { examineGraph } from "../graph/index.ts";
import type { Job, JobResult } from "../shards/types.ts";
import { prove } from "./proof.ts";

const proofOf = async (file: string, indicesChecked = true, graph?: GraphFindings) => {
  const engine = await loadModel(file, { executionProvider: "cpu", intraOpThreads: 1 });
  const warm = await warmUp(engine);
  assert.equal(warm.outcome, "passed");
  const shapes = new Map(Object.entries(warm.outcome === "passed" ? warm.shapes : {}));
  const { inputs } = engine;
  const outputs = await givenOutputs(engine, warm);
  const limits = { maxBatchSize: 32, indicesChecked };
  let runs = 0;
  let items = 0;
  let refused = 0;
  /** Of what the model took, of each input of whole numbers. */
  const greatest = new Map<string, number>();
  const probe = async (job: Job): Promise<JobResult> => {
    const tensors = job.inputs.map(({ name, datatype, shape, parts }): [string, Tensor] => [
      name,
      { datatype, shape, bytes: Uint8Array.from(Buffer.concat(parts)) },
    ]);
    runs += 1;
    items += job.inputs[0]?.shape[0] ?? 0;
    refused += 1;
    const outputs = await engine.run(new Map(tensors), job.outputs);
    refused -= 1;
    for (const [name, { datatype, bytes }] of tensors) {
      const all = datatype === "INT64" ? Array.from(new BigInt64Array(bytes.buffer), Number) : [];
      greatest.set(name, Math.max(greatest.get(name) ?? 0, ...all));
    }
    return { outputs, runMs: 0.01 };
  };
  const proof = await prove({ name: "m", version: "1", inputs, outputs }, shapes, limits, probe, graph);
  return { proof, runs, items, greatest, refused };
};

describe("rows that depend on each other", () => {
  const coupled: Record<string, () => string> = {
    "a quantised classifier of texts": models.quantisedText,
    "a quantised classifier that tells its label only": models.quantisedLabel,
    "halves with one scale": models.quantisedHalves,
    "divided by the greatest above 1": models.normalised,
    "divided by the greatest above 255": () => models.normalised(255),
    "divided by the greatest above 100,000": () => models.normalised(100_000),
    "halved beside what is below -500": () => models.halvedWhere("FP32", "ReduceMin", "Less", -500),
    "halved beside what is above 10^20": () => models.halvedWhere("FP32", "ReduceMax", "Greater", 1e20),
    "halved beside an id above 50": () => models.halvedWhere("INT64", "ReduceMax", "Greater", 50),
    "halved beside a byte above 200": () => models.halvedWhere("UINT8", "ReduceMax", "Greater", 200),
    "halved beside a negative number": () => models.halvedWhere("INT32", "ReduceMin", "Less", -100),
    "zero beside a NaN": models.zeroWhereNaN,
    "clipped at the number of rows": models.clippedAtCount,
  };
  for (const [name, file] of Object.entries(coupled)) {
    test(name, async () => {
      const { proof } = await proofOf(file());
      assert.match(
        proof.proved ? "proved" : proof.reason,
        /changes (when \d+ requests run together|with the other requests)/,
      );
    });
  }
});

describe("rows that do not", () => {
  const independent: Record<string, () => string> = {
    "dense layers": () => denseModel([16, 64, 64, 3]),
    "each row by its own greatest": models.normalisedByRow,
    "tables of different sizes": models.embeddings,
    trees: models.trees,
    "trees whose label is said to be [1]": () => models.trees([1]),
    "an output of no declared shape": models.undeclared,
    neighbours: models.neighbours,
    "texts by a table": models.encodedTexts,
    "a picture's angle": () => ANGLE_MODEL,
  };
  for (const [name, file] of Object.entries(independent)) {
    test(name, async (t) => {
      const { proof, runs, items } = await proofOf(file());
      assert.ok(proof.proved, proof.proved ? "" : proof.reason);
      // a proof ends: what it may take of a start is bounded
      assert.ok(runs <= 60 && items <= 200, `${runs} runs, ${items} items`);
      t.diagnostic(`${runs} runs, ${items} items`);
    });
  }
});

test("texts whose words nobody would guess are made up of those that the model names", async () => {
  for (const file of [models.countedWords(), models.knownCategories()]) {
    const apart = await proofOf(file);
    assert.match(apart.proof.proved ? "proved" : apart.proof.reason, /gives all generated inputs the same answer/);
    const { proof } = await proofOf(file, true, examineGraph(file));
    assert.ok(proof.proved, proof.proved ? "" : proof.reason);
  }
  const mixed = models.scaledByMostWords();
  const { proof } = await proofOf(mixed, true, {
    ...examineGraph(mixed),
    findings: [{ axes: { x: 0 }, outputs: { y: 0 } }],
  });
  assert.match(proof.proved ? "proved" : proof.reason, /changes (when|with)/);
});

test("ids are tried over the whole of their table, and no further", async () => {
  const { greatest } = await proofOf(models.embeddings());
  assert.deepEqual([greatest.get("ids"), greatest.get("types")], [299, 1]);
  const unchecked = await proofOf(models.embeddings(), false);
  assert.ok(unchecked.proof.proved);
  assert.deepEqual(
    [unchecked.greatest.get("ids"), unchecked.refused],
    [1, 0],
    "where nobody checks ids, none is tried",
  );
});
