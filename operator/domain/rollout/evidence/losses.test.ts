import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { randomFrom } from "../../../../test/world/random.ts";
import type { LossesOfArms } from "./arms.ts";
import { DISAGREEMENT_LIMITS, logEOfDisagreement, observeDisagreement, startDisagreement } from "./disagreement.ts";
import { logMean } from "./logs.ts";
import { logEOfLosses, observeLosses, startLosses } from "./losses.ts";

/** What decides, of three metrics at a level of 1 %. */
const HARM = Math.log(300);
const COPIES = 50;

type Rates = { canary: number; self: number };

/** Copies of an interval as the router makes them: a tenth go to stable again, and a half once an answer has lost its numbers. */
const createCopies = (rates: Rates, random: () => number) => {
  let isSuspect = false;
  return () => {
    const pairs = { canary: { compared: 0, disagreed: 0 }, self: { compared: 0, disagreed: 0 } };
    const losses = { canary: { compared: 0, lost: 0 }, self: { compared: 0, lost: 0 } };
    for (let i = 0; i < COPIES; i++) {
      const of = random() < (isSuspect ? 0.5 : 0.1) ? "self" : "canary";
      const isLost = random() < rates[of];
      pairs[of].compared++;
      if (isLost) pairs[of].disagreed++;
      if (isSuspect) losses[of].compared++;
      if (isSuspect && isLost) losses[of].lost++;
      isSuspect ||= isLost;
    }
    return { pairs: pairs.canary, self: pairs.self, losses };
  };
};

/** Copies until outputs are harm; undefined where they are not within `most`. */
const copiesUntilHarm = (rates: Rates, most: number, seed: number): number | undefined => {
  const next = createCopies(rates, randomFrom(seed));
  let evidence = startDisagreement(DISAGREEMENT_LIMITS);
  for (let copies = COPIES; copies <= most; copies += COPIES) {
    evidence = observeDisagreement(evidence, DISAGREEMENT_LIMITS, next());
    if (logEOfDisagreement(evidence).harm >= HARM) return copies;
  }
  return undefined;
};
const runs = (count: number, rates: Rates, most: number): (number | undefined)[] =>
  Array.from({ length: count }, (_, i) => copiesUntilHarm(rates, most, i + 1));
const harmed = (all: readonly (number | undefined)[]): number => all.filter((one) => one !== undefined).length;

const lnChoose = (n: number, k: number): number => {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log((n - k + i) / i);
  return sum;
};

/** What ln e-values are together where each comes with the logarithm of its chance. */
const logMeanOf = (each: readonly { chance: number; logE: number }[]): number =>
  logMean(each.map(({ chance, logE }) => chance + logE)) + Math.log(each.length);

describe("answers that have lost their numbers", () => {
  it("have an e-value of 1 at most on the average where the canary is a copy of stable, however the pairs are shared and whatever is lost", () => {
    const total = fc.record({
      canary: fc.integer({ min: 1, max: 60 }),
      self: fc.integer({ min: 1, max: 60 }),
      lost: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(total, fc.array(total, { maxLength: 3 }), ({ canary, lost, self }, before) => {
        fc.pre(lost <= canary + self);
        // whatever was seen before is a factor that all have
        const past = before.reduce(
          (evidence, one) =>
            observeLosses(evidence, {
              canary: { compared: one.canary, lost: Math.min(one.canary, one.lost) },
              self: { compared: one.self, lost: 0 },
            }),
          startLosses(),
        );
        const outcomes = Array.from({ length: lost + 1 }, (_, ofCanary) => ofCanary)
          .filter((ofCanary) => ofCanary <= canary && lost - ofCanary <= self)
          .map((ofCanary) => {
            const losses: LossesOfArms = {
              canary: { compared: canary, lost: ofCanary },
              self: { compared: self, lost: lost - ofCanary },
            };
            const chance = lnChoose(canary, ofCanary) + lnChoose(self, lost - ofCanary) - lnChoose(canary + self, lost);
            return { chance, ratio: observeLosses(past, losses).ratio };
          });
        for (const at of past.ratio.keys()) {
          const mean = logMeanOf(outcomes.map(({ chance, ratio }) => ({ chance, logE: ratio[at] ?? 0 })));
          assert.ok(mean <= (past.ratio[at] ?? 0) + 1e-9, `${mean} after ${past.ratio[at]}`);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("are harm within a thousand copies where four in a hundred of the canary's answers are", () => {
    const all = runs(100, { canary: 0.04, self: 0 }, 1000);
    assert.ok(harmed(all) >= 95, `${harmed(all)} of 100`);
    const sorted = all.map((one) => one ?? Number.POSITIVE_INFINITY).toSorted((one, other) => one - other);
    assert.ok((sorted[50] ?? 0) <= 800, `${sorted[50]} copies in the median`);
  });

  it("are no harm where stable has lost as many, few or most", () => {
    for (const rate of [0.002, 0.04, 0.3])
      assert.equal(harmed(runs(100, { canary: rate, self: rate }, 4000)), 0, `${rate}`);
  });

  it("are no harm where they are fewer than the floor, though stable has none", () => {
    assert.equal(harmed(runs(50, { canary: 0.0015, self: 0 }, 10_000)), 0);
  });

  it("are harm where stable has lost some, and the canary five times as many", () => {
    assert.ok(harmed(runs(50, { canary: 0.1, self: 0.02 }, 3000)) >= 48);
  });

  it("say nothing without a pair of stable with itself, nor without any pair", () => {
    const none = { compared: 0, lost: 0 };
    const alone = observeLosses(startLosses(), { canary: { compared: 100, lost: 100 }, self: none });
    assert.equal(logEOfLosses(alone), 0);
    assert.deepEqual(observeLosses(alone, { canary: none, self: none }), alone);
  });
});
