import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { GraphCase } from "../../../test/graphs/case.ts";
import { COUPLED, INDEPENDENT } from "../../../test/graphs/corpus/index.ts";
import { measure } from "../../../test/graphs/measure.ts";
import { newDirectory } from "../../../test/runtime/models.ts";
import { type Finding, findingFor } from "./findings.ts";
import { examineGraph } from "./index.ts";

const SEED = 5;

const findingOf = ({ bytes, inputs }: GraphCase): Finding => {
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, bytes);
  const findings = examineGraph(file);
  const axes = inputs.map(({ shape }) => (shape.includes("N") ? shape.indexOf("N") : undefined));
  const finding = findingFor(
    findings,
    inputs.map(({ name }) => name),
    axes,
  );
  return finding ?? { axes: {}, reason: findings.reason ?? "it was not looked at" };
};

test("the corpus is large and has no name twice", () => {
  const names = [...COUPLED, ...INDEPENDENT].map(({ name, coupled }) => `${coupled} ${name}`);
  assert.equal(new Set(names).size, names.length);
  assert.ok(COUPLED.length >= 80 && INDEPENDENT.length >= 100, `${COUPLED.length} and ${INDEPENDENT.length}`);
});

describe("of the models whose rows change each other", () => {
  for (const model of COUPLED) {
    test(`"${model.name}" is told by its graph, and by its runs`, async () => {
      const { outputs, reason } = findingOf(model);
      assert.equal(outputs, undefined);
      assert.match(reason ?? "", /^(node|its output) /);
      assert.notEqual(await measure(model, SEED), undefined);
    });
  }
});

describe("of the models whose rows stay apart", () => {
  const unproved = new Map<string, string>();
  for (const model of INDEPENDENT) {
    test(`"${model.name}" gives rows the same answers together`, async () => {
      const { outputs, reason } = findingOf(model);
      if (outputs === undefined) unproved.set(model.name, reason ?? "");
      assert.equal(await measure(model, SEED), undefined);
    });
  }
  test("95 % or more are shown to do so by their graphs", () => {
    const share = unproved.size / INDEPENDENT.length;
    assert.ok(share <= 0.05, JSON.stringify([...unproved], null, 1));
  });
});
