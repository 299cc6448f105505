import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomFrom } from "../../../../test/world/random.ts";
import { DISAGREEMENT_LIMITS, logEOfDisagreement, observeDisagreement, startDisagreement } from "./disagreement.ts";

const RUNS = 100;
const HARM = Math.log(300);
const SAFE = Math.log(100);

/** An interval has 50 copies, of which a tenth goes to stable again. How many of the runs end how, in so many intervals at most. */
const runs = (rates: { canary: number; self: number }, intervals: number) => {
  const ends = { harm: 0, safe: 0, open: 0 };
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = randomFrom(seed);
    const drawn = (compared: number, rate: number) => ({
      compared,
      disagreed: Array.from({ length: compared }, random).filter((each) => each < rate).length,
    });
    let evidence = startDisagreement(DISAGREEMENT_LIMITS);
    let end: keyof typeof ends = "open";
    for (let i = 0; i < intervals && end === "open"; i++) {
      const interval = { pairs: drawn(45, rates.canary), self: drawn(5, rates.self) };
      evidence = observeDisagreement(evidence, DISAGREEMENT_LIMITS, interval);
      const { harm, safe } = logEOfDisagreement(evidence);
      if (harm >= HARM) end = "harm";
      else if (safe >= SAFE && harm <= 0) end = "safe";
    }
    ends[end] += 1;
  }
  return ends;
};

describe("outputs that disagree", () => {
  it("are harm within a minute where all do, and safe as soon where none do", () => {
    assert.deepEqual(runs({ canary: 1, self: 0 }, 6), { harm: RUNS, safe: 0, open: 0 });
    assert.deepEqual(runs({ canary: 0, self: 0 }, 6), { harm: 0, safe: RUNS, open: 0 });
  });

  it("are harm where a tenth does, once it is known that stable agrees with itself", () => {
    const { harm } = runs({ canary: 0.1, self: 0 }, 120);
    assert.equal(harm, RUNS);
  });

  it("are never safe where twice the share that is allowed do, and safe where a quarter of it does", () => {
    const { safe } = runs({ canary: 0.04, self: 0 }, 200);
    assert.ok(safe <= RUNS / 50, `${safe} of ${RUNS} were called safe`);
    assert.ok(runs({ canary: 0.005, self: 0 }, 40).safe >= 0.95 * RUNS);
  });

  it("are no harm as far as stable disagrees with itself, and harm beyond", () => {
    assert.equal(runs({ canary: 0.2, self: 0.2 }, 200).harm, 0);
    assert.ok(runs({ canary: 0.4, self: 0.2 }, 200).harm >= 0.95 * RUNS);
  });
});
