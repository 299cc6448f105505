import assert from "node:assert/strict";
import { test } from "node:test";
import { figuresOf, goalsOf, type ModelResults, median, type Row, type Sample } from "./results.ts";

const sample = (answers: number, cpu: number, p99: number): Sample => ({
  ...{ answers, seconds: 2, p50: 1, p99, failed: 0, generatorCpu: 0.2, cpu, memory: 10 },
});
const row = (peer: string, samples: Sample[]): Row => ({ peer, protocol: "json", connections: 32, samples });
const results = (model: ModelResults["model"], rows: Row[], raw: ModelResults["raw"] = []): ModelResults => ({
  ...{ model, title: model, rows, raw, servers: [] },
});
const verdicts = (each: ModelResults) =>
  Object.fromEntries(goalsOf([each]).map(({ text, reached }) => [text.split(": ")[1], reached]));

test("a median is the middle one, or the mean of the two in the middle", () => {
  assert.equal(median([9, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 9]), 3);
});

test("figures are medians over the runs, CPU for a thousand answers", () => {
  const { rate, cpu, p99 } = figuresOf(row("berth", [sample(2000, 2, 5), sample(1000, 1, 7), sample(4000, 8, 6)]));
  assert.deepEqual({ rate, cpu, p99 }, { rate: 1000, cpu: 1, p99: 6 });
});

test("a perceptron's goals are half of Triton's CPU, twice its rate, and the lowest p99", () => {
  const triton = row("triton", [sample(1000, 1, 5)]);
  assert.deepEqual(verdicts(results("tiny", [row("berth", [sample(2000, 1, 4)]), triton])), {
    "CPU to Triton's": true,
    "rate to Triton's": true,
    "p99 to the best peer's": true,
  });
  assert.deepEqual(verdicts(results("tiny", [row("berth", [sample(1900, 1, 6)]), triton])), {
    "CPU to Triton's": false,
    "rate to Triton's": false,
    "p99 to the best peer's": false,
  });
});

test("MiniLM is held against the fastest setup of onnxruntime alone", () => {
  const setup = { processes: 1, threads: 1, batch: 1 };
  const raw = [
    { setup, samples: [{ rate: 100, cpuPerThousand: 9 }] },
    { setup, samples: [{ rate: 200, cpuPerThousand: 10 }] },
  ];
  // 185 a second is 0.925 of 200; 4 CPU seconds for 370 answers is 10.8 for a thousand, 1.08 of 10.
  assert.deepEqual(verdicts(results("minilm", [row("berth", [sample(370, 4, 1)])], raw)), {
    "rate to onnxruntime alone": true,
    "CPU to onnxruntime alone": false,
  });
});
