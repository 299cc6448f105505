import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { measure } from "../../../test/graphs/measure.ts";
import { sweep } from "../../../test/graphs/sweep.ts";
import { newDirectory } from "../../../test/runtime/models.ts";
import { findingFor } from "./findings.ts";
import { examineGraph } from "./index.ts";

const SEED = 3;

test("no operator that is shown to keep rows apart lets them meet, along whichever axis the batch lies", async (t) => {
  const file = join(newDirectory(), "model.onnx");
  let shown = 0;
  const missed: string[] = [];
  for (const model of sweep()) {
    writeFileSync(file, model.bytes);
    const finding = findingFor(examineGraph(file), ["x"], [0]);
    assert.ok(finding !== undefined, model.name);
    let differs: string | undefined;
    try {
      differs = await measure(model, SEED, { trials: 3, tolerance: 1e-3 });
    } catch {
      // what does not even run with one row cannot be served
      continue;
    }
    if (finding.outputs !== undefined) {
      assert.equal(differs, undefined, model.name);
      shown++;
    } else if (differs === undefined) missed.push(`${model.name}: ${finding.reason}`);
  }
  t.diagnostic(`${shown} shown, ${missed.length} missed`);
  assert.ok(missed.length <= 0.15 * shown, missed.join("\n"));
});
