/**
 * The engine against another implementation of the same formulas (numpy, 64 bit; made with seed 7), number by number:
 * test/fixtures/evidence/reference.json.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { z } from "zod";
import { logE, logRatios, type Question, startFilter, stepFilter } from "./filter.ts";
import { contrastOf } from "./noise.ts";
import { transition } from "./noise-grid.ts";
import { slowerBy, survivalLogits } from "./survival.ts";
import { observeTimes, startTimeDispersion, timeNoise } from "./time-dispersion.ts";

const numbers = z.array(z.number());
const schema = z.object({
  transition: z.object({ rho: z.number(), rows: numbers }),
  events: z.object({
    counts: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])),
    variance: z.number(),
    harm: numbers,
    safe: numbers,
  }),
  times: z.object({
    edges: numbers,
    middles: numbers,
    intervals: z.array(z.array(numbers)),
    noise: z.object({ sigma2: z.number(), rho: z.number(), nu: z.number(), tau2: z.number() }),
  }),
  latency: z.object({
    total: numbers,
    variance: z.number(),
    harmEdges: numbers,
    safeEdges: z.array(z.tuple([z.number(), z.number()])),
    counts: z.array(z.tuple([numbers, numbers])),
    harm: z.array(numbers),
    safe: z.array(numbers),
  }),
});
const reference = schema.parse(
  JSON.parse(readFileSync(new URL("../../../../test/fixtures/evidence/reference.json", import.meta.url), "utf8")),
);

const close = (actual: number, expected: number, what: string): void => {
  const isClose = Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected));
  assert.ok(isClose, `${what}: ${actual}, not ${expected}`);
};

/** A number that no value is close to. */
const NONE = Number.NaN;

const allClose = (actual: ArrayLike<number>, expected: readonly number[], what: string): void => {
  assert.equal(actual.length, expected.length, what);
  for (const [at, value] of expected.entries()) close(actual[at] ?? NONE, value, `${what} ${at}`);
};

const logs = (limit: number, factors: number[]) => factors.map((factor) => Math.log(limit * factor));

describe("the evidence engine agrees with another implementation", () => {
  it("on the noise's chain", () => {
    const { rho, rows } = reference.transition;
    allClose(transition(rho), rows, "entry");
  });

  it("on the e-values of events, after each interval", () => {
    const { counts, variance, ...expected } = reference.events;
    const contrast = contrastOf({ sigma2: 0.04, rho: 0.9, nu: 10, tau2: 0.01 }, variance, true);
    const questions: Record<"harm" | "safe", Question> = {
      harm: { theta0: Math.log(1.25), alternatives: logs(1.25, [1.25, 1.5, 2, 3, 5, 8, 15, 30, 80]) },
      safe: { theta0: Math.log(2.5), alternatives: logs(2.5, [0.8, 0.6, 0.4, 0.2, 0.05]) },
    };
    for (const which of ["harm", "safe"] as const) {
      const question = questions[which];
      const chain = transition(0.9);
      let filter = startFilter(question);
      counts.forEach(([canaryEvents, canaryExposed, stableEvents, stableExposed], at) => {
        const canary = { events: canaryEvents, exposed: canaryExposed };
        const stable = { events: stableEvents, exposed: stableExposed };
        filter = stepFilter(filter, canary, stable, logRatios(question, contrast), chain);
        close(logE(filter, question), expected[which][at] ?? NONE, `${which} after interval ${at}`);
      });
    }
  });

  it("on how much equal pods differ in speed", () => {
    const { edges, middles, intervals, noise } = reference.times;
    const pods = intervals.map((counts) => counts.map((buckets, pod) => ({ pod: `pod-${pod}`, buckets })));
    const seen = pods.reduce((before, now) => observeTimes(before, now, middles), startTimeDispersion(edges.length));
    const told = timeNoise(seen);
    for (const name of ["sigma2", "rho", "nu", "tau2"] as const) close(told[name], noise[name], name);
    allClose(seen.total, reference.latency.total, "bucket");
  });

  it("on the e-values of latency at each boundary, after each interval", () => {
    const { total, variance, counts, harmEdges, safeEdges, ...expected } = reference.latency;
    const { edges, noise } = reference.times;
    const contrast = contrastOf(noise, variance, false);
    const chain = transition(noise.rho);
    const logEdges = edges.map(Math.log);
    const logits = survivalLogits(total);
    const beyond = (buckets: number[], edge: number) => buckets.slice(edge + 1).reduce((sum, count) => sum + count, 0);
    const check = (question: Question, pairs: (readonly [number, number])[], want: number[][]) => {
      const ratios = pairs.map(([edge]) => logRatios(question, contrast, slowerBy(logEdges, logits, edge)));
      let filters = pairs.map(() => startFilter(question));
      counts.forEach(([stable, canary], at) => {
        filters = filters.map((filter, which) => {
          const [stableEdge, canaryEdge] = pairs[which] ?? assert.fail();
          return stepFilter(
            filter,
            { events: beyond(canary, canaryEdge), exposed: beyond(canary, -1) },
            { events: beyond(stable, stableEdge), exposed: beyond(stable, -1) },
            ratios[which] ?? assert.fail(),
            chain,
          );
        });
        const got = filters.map((filter) => logE(filter, question));
        allClose(got, want[at] ?? [], `after interval ${at}, boundary`);
      });
    };
    check(
      { theta0: Math.log(1.05), alternatives: logs(1, [1.15, 1.25, 1.4, 1.6, 2, 3]) },
      harmEdges.map((edge) => [edge, edge] as const),
      expected.harm,
    );
    check({ theta0: 0, alternatives: logs(1 / 1.5, [1, 1.1, 1.2]) }, safeEdges, expected.safe);
  });
});
