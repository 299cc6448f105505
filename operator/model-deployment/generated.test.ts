import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anySpec } from "../../test/simulation/specs.ts";
import { createWorld } from "../../test/simulation/world.ts";
import { findCondition, type ModelDeploymentSpec, specSchema } from "../api/v1alpha1/index.ts";
import { podTemplate } from "./children/pod-template.ts";
import { canonical, type RevisionSpec, revisionSpecOf, sortedJson } from "./revision.ts";

/** The spec without one of its fields, for each of them. */
const withoutEach = (value: unknown): unknown[] => {
  if (Array.isArray(value)) return value.map((_, i) => value.toSpliced(i, 1));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const { [key]: _, ...rest } = Object.fromEntries(Object.entries(value));
    return [rest, ...withoutEach(inner).map((less) => ({ ...value, [key]: less }))];
  });
};

/** Empty lists and maps say what absent ones do. */
const withoutEmpty = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withoutEmpty(inner)]);
  const full = entries.filter(([, inner]) => inner !== undefined);
  return full.length === 0 ? undefined : Object.fromEntries(full);
};

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

test("a field without which the pods would be others makes another revision", () => {
  const settings = { runtimeImage: "berth-runtime:1", runtimeImagePullPolicy: "IfNotPresent", allowHttpModels: true };
  const rendered = (spec: RevisionSpec) => sortedJson(withoutEmpty(podTemplate("name", "revision", spec, settings)));
  /** What is a duration is a rule of the CRD, and the schema alone does not know it. */
  const isUsable = (spec: RevisionSpec): boolean => {
    try {
      return canonical(spec) !== "";
    } catch {
      return false;
    }
  };
  let compared = 0;
  fc.assert(
    fc.property(anySpec, (whole) => {
      const spec = revisionSpecOf(whole);
      if (!isUsable(spec)) return;
      for (const candidate of withoutEach(spec)) {
        const { success, data } = specSchema.omit({ scaling: true }).safeParse(candidate);
        if (!success || !isUsable(data) || rendered(data) === rendered(spec)) continue;
        compared += 1;
        assert.notEqual(canonical(data), canonical(spec), JSON.stringify([spec, data]));
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(compared > 1000, `${compared} pairs of specs were compared`);
});
