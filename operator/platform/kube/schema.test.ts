import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { modelDeploymentCrd, modelRolloutCrd } from "../../api/v1alpha1/crd.ts";
import { known, lacking, type Schema } from "./schema.ts";

const text: Schema = {};
const newer: Schema = {
  properties: {
    metadata: {},
    status: {
      properties: {
        phase: { enum: ["Ready", "Paused"] },
        port: text,
        routes: { items: { properties: { revision: text, shadow: text } } },
        pods: { additionalProperties: { properties: { ready: text, since: text } } },
        constructor: text,
      },
    },
  },
};
const older: Schema = {
  properties: {
    metadata: { properties: { name: text } },
    status: {
      properties: {
        phase: { enum: ["Ready"] },
        routes: { items: { properties: { revision: text } } },
        pods: { additionalProperties: { properties: { ready: text } } },
        gone: text,
      },
    },
  },
};

test("what an older schema lacks is named, and what a newer one has besides is not", () => {
  assert.deepEqual(lacking(newer, older), [
    "status.phase=Paused",
    "status.port",
    "status.routes[].shadow",
    "status.pods.*.since",
    "status.constructor",
  ]);
  assert.deepEqual(lacking({ properties: { metadata: {} } }, older), []);
});

test("only what the schema knows is left, and all of it", () => {
  const object = {
    status: {
      phase: "Paused",
      port: 8000,
      routes: [{ revision: "a", shadow: "10%" }],
      pods: { "digits-1": { ready: 1, since: "now" } },
    },
  };
  assert.deepEqual(known(object, older), {
    status: { phase: "Paused", routes: [{ revision: "a" }], pods: { "digits-1": { ready: 1 } } },
  });
  assert.deepEqual(known(object, newer), object);
  assert.deepEqual(known({ any: [1, { thing: 2 }] }, {}), { any: [1, { thing: 2 }] });
  assert.deepEqual(known({ a: 1, b: 2 }, { properties: { a: {} }, additionalProperties: true }), { a: 1, b: 2 });
});

test("a field that is taken out of one of our schemas is what it lacks", () => {
  for (const crd of [modelDeploymentCrd(), modelRolloutCrd()]) {
    const whole = crd.spec.versions[0]?.schema.openAPIV3Schema ?? {};
    assert.deepEqual(lacking(whole, whole), []);
    const fields = Object.keys(whole.properties?.status?.properties ?? {});
    fc.assert(
      fc.property(fc.subarray(fields, { minLength: 1 }), (taken) => {
        const left = Object.entries(whole.properties?.status?.properties ?? {}).filter(
          ([name]) => !taken.includes(name),
        );
        const status = { ...whole.properties?.status, properties: Object.fromEntries(left) };
        const cut = { ...whole, properties: { ...whole.properties, status } };
        assert.deepEqual(
          lacking(whole, cut),
          taken.map((name) => `status.${name}`),
        );
        const object = { status: Object.fromEntries(fields.map((name) => [name, "value"])) };
        assert.deepEqual(
          Object.keys(Object(known(object, cut)).status),
          left.map(([name]) => name),
        );
      }),
    );
  }
});
