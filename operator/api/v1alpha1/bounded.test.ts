import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { boundedRecord, boundedStatus, minimalStatus } from "./bounded.ts";
import { type RolloutRecord, recordSchema } from "./model-rollout.ts";
import { type ModelDeploymentStatus, statusSchema } from "./status.ts";
import { type JsonSchema, structural } from "./structural.ts";

const DATE = "2026-01-01T00:00:00Z";

const objects = (schema: JsonSchema, leaf: (schema: JsonSchema) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => {
  if (schema.type === "array") {
    const items = objects(schema.items ?? {}, leaf);
    return leaf === within
      ? fc.uniqueArray(items, { maxLength: Math.min(schema.maxItems ?? 0, 3), selector: keyOf(schema) })
      : fc.array(items, { maxLength: (schema.maxItems ?? 0) + 2 });
  }
  if (schema.type !== "object") return leaf(schema);
  const fields = Object.entries(schema.properties ?? {}).map(([name, one]) => [name, objects(one, leaf)] as const);
  return fc.record(Object.fromEntries(fields), { requiredKeys: schema.required ?? [] });
};

const keyOf = (schema: JsonSchema) => (item: unknown) => {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  return JSON.stringify(keys.map((key) => Object.entries(Object(item)).find(([name]) => name === key)));
};

const within = (schema: JsonSchema): fc.Arbitrary<unknown> => {
  const { format, maxLength = 0, maximum, minLength = 0, minimum } = schema;
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.type === "boolean") return fc.boolean();
  if (format === "date-time") return fc.constantFrom(DATE, "2026-01-01T00:00:00.123+01:00");
  if (schema.type === "string") return fc.string({ minLength, maxLength: Math.min(maxLength, 200) });
  return fc.integer({ min: minimum ?? -(2 ** 31), max: maximum ?? 2 ** 31 - 1 });
};

const SOMETHING = [null, true, "", "True", "surge", DATE, "x".repeat(5000), "😀".repeat(700), 0, -1, 0.5, 1e12];
const NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, -0.5, 90_000_000, 2 ** 53];

/** Of the right type mostly, and out of its bounds often. */
const wild = (schema: JsonSchema): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 6, arbitrary: within(schema) },
    schema.type === "string"
      ? { weight: 3, arbitrary: fc.string({ maxLength: 2000 }) }
      : { weight: 3, arbitrary: fc.oneof(fc.constantFrom(...NUMBERS), fc.double()) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(...SOMETHING, ...NUMBERS, undefined, [], {}) },
  );

const full = (observedGeneration: number): ModelDeploymentStatus => ({
  observedGeneration,
  conditions: [
    {
      ...{ type: "Ready", status: "True", reason: "Serving", message: "one pod serves" },
      ...{ lastTransitionTime: DATE, observedGeneration },
    },
  ],
  stable: { revision: "digits-0123abcd", executionProvider: "cpu", replicas: 1, ready: 1 },
  traffic: { epoch: 1, port: 20_000, routes: [{ revision: "digits-0123abcd", role: "stable", weight: 100 }] },
  rollout: { revision: "digits-89abcdef", phase: "observing", step: 1 },
});

describe("a status within its bounds", () => {
  const inSchema = structural(statusSchema);

  it("is what becomes of any status, and stays as it is", () => {
    const generation = fc.oneof(fc.integer(), fc.constantFrom(...NUMBERS));
    fc.assert(
      fc.property(objects(inSchema, wild), generation, (any, observedGeneration) => {
        const status = boundedStatus(Object.assign(full(1), any, { observedGeneration }));
        assert.deepEqual(statusSchema.parse(status), status);
        assert.deepEqual(boundedStatus(status), status);
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps what is within them already", () => {
    fc.assert(
      fc.property(objects(inSchema, within), (any) => {
        const status = statusSchema.parse(any);
        assert.deepEqual(boundedStatus(status), status);
      }),
    );
  });

  it("has numbers at their bounds, texts cut with an ellipsis, and no part that cannot be mended", () => {
    const { scale, message, devices, canary, rollout } = boundedStatus({
      ...full(1),
      message: "x".repeat(1023) + "😀".repeat(3),
      devices: "😀".repeat(200),
      canary: { revision: "r", executionProvider: "cpu", replicas: Number.NaN, ready: 1.6 },
      rollout: { since: "never", step: 99, steps: Array.from({ length: 30 }, () => ({ weight: 300 })) },
      scale: { replicas: -3, selector: "a=b", learnt: { startMs: 1e12, phases: { scheduleMs: 90_000_000 } } },
    });
    assert.deepEqual(scale, {
      ...{ replicas: 0, selector: "a=b", learnt: { startMs: 86_400_000, phases: { scheduleMs: 86_400_000 } } },
    });
    assert.equal(message, `${"x".repeat(1023)}…`);
    assert.equal(devices, `${"😀".repeat(159)}…`);
    assert.deepEqual(canary, { revision: "r", executionProvider: "cpu", replicas: 0, ready: 2 });
    assert.deepEqual(rollout, {
      ...{ since: "1970-01-01T00:00:00Z", step: 20, steps: Array.from({ length: 20 }, () => ({ weight: 100 })) },
    });
  });

  it("has one item of each key in lists that are maps", () => {
    const { traffic, conditions = [] } = full(1);
    assert.ok(traffic);
    const twice = { ...traffic, routes: [...traffic.routes, ...traffic.routes] };
    const status = boundedStatus({ ...full(1), traffic: twice, conditions: [...conditions, ...conditions] });
    assert.deepEqual(status, full(1));
  });
});

describe("a status that the API server refused", () => {
  it("leaves the refusal, and all that requests and the rollout go by", () => {
    fc.assert(
      fc.property(objects(structural(statusSchema), wild), fc.string({ maxLength: 3000 }), (any, words) => {
        const { rollout, stable, traffic } = full(7);
        const refused: ModelDeploymentStatus = Object.assign(full(7), any, full(7));
        const status = minimalStatus(refused, words, [], DATE);
        assert.deepEqual(statusSchema.parse(status), status);
        assert.deepEqual({ rollout, stable, traffic }, { ...pick(status) });
        const ready = status.conditions?.find(({ type }) => type === "Ready");
        assert.deepEqual([ready?.status, ready?.reason, ready?.lastTransitionTime], ["False", "StatusRefused", DATE]);
        assert.equal(status.observedGeneration, 7);
      }),
    );
  });

  const pick = ({ rollout, stable, traffic }: ModelDeploymentStatus) => ({ rollout, stable, traffic });
});

describe("the record of a rollout within its bounds", () => {
  const record: RolloutRecord = {
    ...{ model: "digits", from: "a", to: "b", step: "1/2", weight: "5%", state: "Progressing", startedAt: DATE },
  };

  it("is what becomes of any record, and stays as it is", () => {
    fc.assert(
      fc.property(objects(structural(recordSchema), wild), (any) => {
        const { evidence, verdict, memory } = Object.assign({ evidence: "", verdict: "", memory: "" }, any);
        const bounded = boundedRecord(Object.assign({ ...record }, { evidence, verdict, memory }));
        assert.deepEqual(recordSchema.parse(bounded), bounded);
        assert.deepEqual(boundedRecord(bounded), bounded);
      }),
    );
  });

  it("has no part of a memory", () => {
    assert.deepEqual(boundedRecord({ ...record, memory: "m".repeat(131_073) }), record);
    assert.equal(boundedRecord({ ...record, memory: "m".repeat(131_072) }).memory?.length, 131_072);
  });
});
