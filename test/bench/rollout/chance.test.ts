import assert from "node:assert/strict";
import { test } from "node:test";
import { normal, normalCdf, poisson, randomFrom } from "./chance.ts";

const DRAWS = 40_000;
const moments = (draw: () => number) => {
  const all = Array.from({ length: DRAWS }, draw);
  const mean = all.reduce((sum, value) => sum + value, 0) / DRAWS;
  const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / DRAWS;
  return { mean, variance };
};

test("a Poisson draw has the mean as its mean and its variance, by either method", () => {
  const random = randomFrom(1);
  for (const wanted of [0.2, 3, 19.9, 20, 60, 500]) {
    const { mean, variance } = moments(() => poisson(wanted, random));
    // five standard errors of 40,000 draws
    assert.ok(Math.abs(mean - wanted) < 5 * Math.sqrt(wanted / DRAWS), `mean ${mean}, not ${wanted}`);
    assert.ok(Math.abs(variance / wanted - 1) < 0.05 + 0.05 / wanted, `variance ${variance}, not ${wanted}`);
  }
});

test("a normal draw has mean 0 and variance 1, and its distribution function is the known one", () => {
  const random = randomFrom(2);
  const { mean, variance } = moments(() => normal(random));
  assert.ok(Math.abs(mean) < 0.025 && Math.abs(variance - 1) < 0.04, `${mean}, ${variance}`);
  for (const [z, p] of [
    [0, 0.5],
    [1, 0.8413447],
    [-1.96, 0.0249979],
    [3, 0.9986501],
  ] as const) {
    assert.ok(Math.abs(normalCdf(z) - p) < 2e-7, `${z}`);
  }
});

test("draws are even, and a seed repeats them", () => {
  const random = randomFrom(7);
  const counts = new Array<number>(16).fill(0);
  for (let draw = 0; draw < 160_000; draw++) {
    const bin = Math.floor(random() * 16);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const chi2 = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
  assert.ok(chi2 < 37.7, `chi² of 15 degrees of freedom: ${chi2}`); // 0.1 %
  assert.deepEqual([1, 2, 3].map(randomFrom(9)), [1, 2, 3].map(randomFrom(9)));
});
