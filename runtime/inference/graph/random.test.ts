import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { createBuilder, encode } from "../../../test/graphs/builder.ts";
import { x } from "../../../test/graphs/case.ts";
import { measure } from "../../../test/graphs/measure.ts";
import { addRandomNodes } from "../../../test/graphs/random-graph.ts";
import { newDirectory } from "../../../test/runtime/models.ts";
import { findingFor } from "./findings.ts";
import { examineGraph } from "./index.ts";

const SHAPES = [
  ["N", 4],
  ["N", 2, 6],
  ["N", 2, 3, 4],
] as const;

test("rows of random graphs do not change each other where the graph says so", async (t) => {
  const file = join(newDirectory(), "model.onnx");
  let proved = 0;
  let coupled = 0;
  const seed = Date.now() & 0xffff;
  t.diagnostic(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...SHAPES),
      fc.array(fc.integer({ min: 0, max: 2 ** 30 - 1 }), { minLength: 1, maxLength: 12 }),
      async ([batch, ...sizes], choices) => {
        const fractions = choices.map((choice) => choice / 2 ** 30);
        const builder = createBuilder(3);
        const from = builder.input("x", "FP32", [batch, ...sizes]);
        builder.output(builder.op("Identity", [addRandomNodes(builder, from, [1, ...sizes], fractions)]), "FP32");
        const bytes = encode(builder);
        writeFileSync(file, bytes);
        const finding = findingFor(examineGraph(file), ["x"], [0]);
        assert.ok(finding !== undefined);
        if (finding.outputs === undefined) {
          coupled++;
          assert.match(finding.reason ?? "", /^(node|its output) /);
          return;
        }
        proved++;
        assert.equal(
          await measure({ bytes, inputs: [x(batch, ...sizes)] }, 3, { trials: 3, tolerance: 1e-2 }),
          undefined,
        );
      },
    ),
    { seed, numRuns: 150 },
  );
  // a test of nothing but refusals, or of nothing but what is shown, would show little
  assert.ok(proved >= 15 && coupled >= 15, `${proved} shown, ${coupled} refused`);
});
