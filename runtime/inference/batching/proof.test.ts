import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tensor } from "../../tensors/index.ts";
import type { Model } from "../index.ts";
import { InferenceError, type Job, type JobResult, ShardLost } from "../shards/types.ts";
import { prove } from "./proof.ts";
import { floats, numbers, rowsModel } from "./simulated.ts";

type Compute = (values: number[], rows: number) => { shape: number[]; values: number[] };

const proofOf = async (
  compute: Compute,
  options: { msPerRow?: number; msOf?: (values: number[]) => number; maxBatch?: number; model?: Model } = {},
) => {
  const sizes: number[] = [];
  const probe = async (job: Job): Promise<JobResult> => {
    const [input] = job.inputs;
    const rows = input?.shape[0] ?? 0;
    sizes.push(rows);
    const tensor: Tensor = { datatype: "FP32", shape: [], bytes: Buffer.concat(input?.parts ?? []) };
    const { shape, values } = compute(numbers(tensor), rows);
    const runMs = rows * (options.msPerRow ?? 0.01) + (options.msOf?.(numbers(tensor)) ?? 0);
    return { outputs: new Map([["y", floats(shape, values)]]), runMs };
  };
  const model = options.model ?? rowsModel;
  const proof = await prove(
    model,
    new Map([["x", [1, 2]]]),
    { maxBatchSize: options.maxBatch ?? 32, indicesChecked: true },
    probe,
  );
  return { proof, sizes };
};

const doubled: Compute = (values, rows) => ({ shape: [rows, 2], values: values.map((value) => 2 * value) });
const refuted = async (compute: Compute, reason: RegExp): Promise<void> => {
  const { proof } = await proofOf(compute);
  assert.match(proof.proved ? "proved" : proof.reason, reason);
};

test("rows that do not meet are proved, with the times of each size", async () => {
  const { proof, sizes } = await proofOf(doubled);
  assert.ok(proof.proved);
  assert.deepEqual(proof.axes, { inputs: [0], outputs: [0] });
  assert.deepEqual(
    proof.measured.map(({ items }) => items),
    [1, 2, 3, 7, 32],
  );
  assert.deepEqual([...new Set(sizes)], [1, 2, 3, 7, 32]);
});

test("what differs by rounding only is the same", async () => {
  const { proof } = await proofOf((values, rows) => ({
    shape: [rows, 2],
    values: values.map((value) => value * (1 + rows * 1e-7)),
  }));
  assert.ok(proof.proved);
});

test("a sine of a million that rounding decides is no reason, where its neighbours do not", async () => {
  const rounded = (beside: (values: number[]) => number): Compute => {
    return (values, rows) => {
      const order = rows === 1 ? 1 : 1 + 2 ** -22;
      return { shape: [rows, 2], values: values.map((value) => Math.sin(value * order) + value * beside(values)) };
    };
  };
  const { proof } = await proofOf(rounded(() => 0));
  assert.ok(proof.proved, JSON.stringify(proof));
  await refuted(
    rounded((values) => Math.max(...values) * 1e-12),
    /changes/,
  );
});

test("rows that meet are found out", async () => {
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const together = /"y" changes when 2 requests run together/;
  await refuted((values, rows) => ({ shape: [rows, 2], values: values.map((v) => v - mean(values)) }), together);
  await refuted((values, rows) => {
    const powers = values.map(Math.exp);
    const columns = [0, 1].map((c) => powers.reduce((sum, power, i) => (i % 2 === c ? sum + power : sum), 0));
    // alone the softmax over the batch is 1 whatever comes in; a second output would show it, here the input is added
    return { shape: [rows, 2], values: values.map((v, i) => v + (powers[i] ?? 0) / (columns[i % 2] ?? 1)) };
  }, together);
  await refuted(
    (values, rows) => ({ shape: [rows, 2], values: values.map((v, i) => v + Math.floor(i / 2)) }),
    together,
  );
  // only the last row of what is large is wrong
  await refuted(
    (values, rows) => ({ shape: [rows, 2], values: values.map((v, i) => (rows >= 8 && i === 14 ? 0.5 * v : v)) }),
    /"y" changes when 32 requests/,
  );
});

test("answers that show nothing prove nothing", async () => {
  await refuted(
    (_, rows) => ({ shape: [rows, 2], values: new Array(2 * rows).fill(1) }),
    /gives all generated inputs the same answer/,
  );
  await refuted((_, rows) => ({ shape: [rows, 2], values: new Array(2 * rows).fill(Number.NaN) }), /no finite number/);
});

test("outputs without the batch, and shapes that depend on the values", async () => {
  await refuted(
    (values) => ({ shape: [1, 2], values: values.slice(0, 2) }),
    /is \[1, 2\] for one request and \[1, 2\] for 2/,
  );
  await refuted((values) => {
    const positive = values.filter((value) => value > 0);
    return { shape: [positive.length, 1], values: positive };
  }, /shape of output "y" depends on the values/);
});

test("a model that refuses two rows, or dies of them, is told so", async () => {
  const limit = (error: Error): Compute => {
    return (values, rows) => {
      if (rows > 1) throw error;
      return doubled(values, rows);
    };
  };
  await refuted(limit(new InferenceError("input", "x: expected 1")), /does not run: x: expected 1/);
  await refuted(limit(new ShardLost("crash", "signal 11")), /process ended in a trial: signal 11/);
});

test("where larger values take much longer, still larger ones are not tried: they are sizes", async () => {
  let greatest = 0;
  const measured: Compute = (values, rows) => {
    greatest = Math.max(greatest, ...values.filter(Number.isFinite).map(Math.abs));
    return doubled(values, rows);
  };
  const area = (values: number[]): number => 1e-4 * Math.max(...values.map(Math.abs)) ** 2;
  const { proof } = await proofOf(measured, { msOf: area });
  assert.ok(proof.proved);
  assert.ok(greatest > 100 && greatest <= 1000, `${greatest}`);
  await proofOf(measured);
  assert.ok(greatest > 1e29);
});

test("a slow model is not kept busy by trials", async () => {
  const { proof, sizes } = await proofOf(doubled, { msPerRow: 45 });
  assert.ok(proof.proved);
  assert.equal(Math.max(...sizes), 3);
  const slow = await proofOf(doubled, { msPerRow: 2000 });
  assert.match(slow.proof.proved ? "" : slow.proof.reason, /takes 2.0 s, too long/);
  assert.deepEqual(slow.sizes, [1]);
});

test("the output's axis is found by its size where the model does not name it", async () => {
  const model: Model = {
    ...rowsModel,
    outputs: [{ name: "y", datatype: "FP32", shape: [null, null], symbols: [null, null] }],
  };
  const transposed: Compute = (values, rows) => ({
    shape: [2, rows],
    values: Array.from({ length: 2 * rows }, (_, i) => values[2 * (i % rows) + Math.floor(i / rows)] ?? 0),
  });
  const { proof } = await proofOf(transposed, { model });
  assert.deepEqual(proof.proved && proof.axes, { inputs: [0], outputs: [1] });
});

test("a text of one token that its mask may hide is tried with more tokens", async () => {
  const info = (name: string) => ({
    name,
    datatype: "INT64" as const,
    shape: [null, null],
    symbols: ["batch", "tokens"],
  });
  const model: Model = {
    ...rowsModel,
    inputs: [info("ids"), info("mask")],
    outputs: [{ name: "y", datatype: "FP32", shape: [null], symbols: ["batch"] }],
  };
  const lengths: number[] = [];
  const probe = async (job: Job): Promise<JobResult> => {
    const [rows = 0, tokens = 0] = job.inputs[0]?.shape ?? [];
    lengths.push(tokens);
    const [ids = [], mask = []] = job.inputs.map(({ parts }) => {
      const bytes = Uint8Array.from(Buffer.concat(parts));
      return Array.from(new BigInt64Array(bytes.buffer), Number);
    });
    const means = Array.from({ length: rows }, (_, row) => {
      const at = (i: number): number => row * tokens + i;
      const all = Array.from({ length: tokens }, (__, i) => i);
      const seen = all.reduce((sum, i) => sum + (mask[at(i)] ?? 0), 0);
      return all.reduce((sum, i) => sum + (mask[at(i)] ?? 0) * (i + 3 * (ids[at(i)] ?? 0)), 0) / seen;
    });
    return { outputs: new Map([["y", floats([rows], means)]]), runMs: 0.01 };
  };
  const examples = new Map(["ids", "mask"].map((name) => [name, [1, 1]]));
  const proof = await prove(model, examples, { maxBatchSize: 8, indicesChecked: true }, probe);
  assert.ok(proof.proved, JSON.stringify(proof));
  assert.deepEqual([...new Set(lengths)], [8]);
});
