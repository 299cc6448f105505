import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anySpec } from "../../../test/simulation/specs.ts";
import { createWorld } from "../../../test/simulation/world.ts";
import { findCondition, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";

const GOOD: ModelDeploymentSpec = { model: { uri: "https://models.example.com/good.onnx" } };

test("whatever the schema allows ends ready or stalled with a reason, and a good spec heals it; then nothing is written", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anySpec, { minLength: 1, maxLength: 3 }), async (specs) => {
      const world = createWorld();
      const condition = (type: "Ready" | "Stalled") => findCondition(world.deployment().status?.conditions, type);
      for (const spec of specs) {
        // a thousand pods take a thousand times as long, and show the same
        const { replicas: _, ...rest } = spec;
        world.put({ ...rest, scaling: { minReplicas: Math.min(spec.scaling?.minReplicas ?? 1, 3) } });
        await world.settle();
        const { status, reason } = condition("Ready") ?? {};
        assert.ok(
          status === "True" || (condition("Stalled")?.status === "True" && reason !== ""),
          JSON.stringify(spec),
        );
      }
      world.put(GOOD);
      await world.settle();
      assert.equal(condition("Ready")?.status, "True");
      assert.equal(condition("Stalled"), undefined);
      const writes = world.writes.length;
      await world.reconcile();
      assert.deepEqual(world.writes.slice(writes), []);
    }),
    { numRuns: 100 },
  );
});
