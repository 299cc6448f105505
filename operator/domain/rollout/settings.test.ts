import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { ModelDeploymentSpec, OutputTolerance } from "../../api/v1alpha1/index.ts";
import { rolloutSettings } from "./settings.ts";

type Analysis = NonNullable<NonNullable<ModelDeploymentSpec["rollout"]>["analysis"]>;

const keyOf = (analysis: Analysis, strategy: "canary" | "shadow" = "canary"): string =>
  rolloutSettings({ rollout: { strategy, analysis } })?.analysisKey ?? assert.fail();
const keyOfAll = (tolerances: OutputTolerance[]) => keyOf({ outputs: { tolerances } });

/** Ways to write it, for each meaning. */
const SPELLINGS: readonly Omit<OutputTolerance, "output">[][] = [
  [{ match: "equal" }],
  [{ match: "topK" }, { match: "topK", k: 1 }],
  [{ match: "topK", k: 2 }],
  [{ match: "cosine" }, { match: "cosine", least: "99%" }, { least: "99.00%", match: "cosine" }],
  [
    { match: "cosine", least: "99.5%" },
    { match: "cosine", least: "99.500%" },
  ],
  [
    { match: "close" },
    { match: "close", absolute: "1e-3" },
    { match: "close", relative: "1%" },
    { match: "close", absolute: "0.0010", relative: "1.0%" },
  ],
  [
    { match: "close", absolute: "0" },
    { match: "close", absolute: "0.0", relative: "1%" },
    { match: "close", absolute: "0e5" },
  ],
  [
    { match: "close", relative: "0.5%" },
    { match: "close", absolute: "0.001", relative: "0.50%" },
  ],
];

describe("the key of an analysis", () => {
  it("is the same where a default is written out, whatever the order and the spelling", () => {
    const short: OutputTolerance[] = [
      { output: "logits", match: "topK" },
      { output: "boxes", match: "close" },
      { output: "embedding", match: "cosine" },
    ];
    const long: OutputTolerance[] = [
      { output: "embedding", match: "cosine", least: "99.0%" },
      { output: "logits", match: "topK", k: 1 },
      { relative: "1.00%", absolute: "1e-3", match: "close", output: "boxes" },
    ];
    assert.equal(keyOfAll(short), keyOfAll(long));
    assert.notEqual(keyOfAll(short), keyOfAll(long.slice(1)));
    assert.equal(keyOf({}), keyOf({ errors: { maxIncrease: "25.0%", floor: "0.50%" }, latency: { mode: "gate" } }));
    assert.equal(keyOf({ outputs: {} }), keyOf({ outputs: { mode: "gate", maxDisagreement: "2.00%", shadow: "10%" } }));
    assert.equal(keyOf({ outputs: { mode: "report", tolerances: short } }), keyOf({}));
    assert.equal(keyOf({}, "shadow"), keyOf({ outputs: {} }, "shadow"));
  });

  it("is equal for equal meanings, and for no others", () => {
    const outputs = ["a", "b", "c"] as const;
    /** By output, the meaning; undefined: none. */
    const meanings = fc.tuple(...outputs.map(() => fc.option(fc.nat(SPELLINGS.length - 1), { nil: undefined })));
    const chance = fc.record({
      one: meanings,
      isSame: fc.boolean(),
      other: meanings,
      spellings: fc.array(fc.nat(99), { minLength: 6, maxLength: 6 }),
      isTurned: fc.boolean(),
    });
    fc.assert(
      fc.property(chance, ({ isSame, isTurned, one, other: another, spellings }) => {
        const other = isSame ? one : another;
        const written = (all: typeof one, from: number): OutputTolerance[] =>
          all.flatMap((meaning, at) => {
            const output = outputs[at];
            const those = meaning === undefined ? undefined : SPELLINGS[meaning];
            const spelt = those?.[(spellings[from + at] ?? 0) % those.length];
            return output === undefined || spelt === undefined ? [] : [{ output, ...spelt }];
          });
        const [first, second] = [written(one, 0), written(other, 3)];
        const isEqual = keyOfAll(first) === keyOfAll(isTurned ? second.toReversed() : second);
        assert.equal(isEqual, isDeepStrictEqual(one, other), JSON.stringify([first, second]));
      }),
      { numRuns: 20_000 },
    );
  });
});
