import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import {
  denseModel,
  endlessLoadModel,
  identityModel,
  loopModel,
  newDirectory,
  unknownOperatorModel,
} from "../../../test/runtime/models.ts";
import { childrenOf } from "../../../test/runtime/server.ts";
import { handTimers } from "../../../test/world/hand-timers.ts";
import { PATIENCE_MS, until } from "../../../test/world/patience.ts";
import { bytesOf } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import type { GraphFindings } from "../graph/findings.ts";
import { type PoolModel, type PoolOptions, startPool } from "./pool.ts";
import { InferenceError, type Job, type Shard, ShardLost } from "./types.ts";

/** A pool whose events can be awaited in order. */
const start = (t: TestContext, model: string, options: Partial<PoolOptions> = {}) => {
  const shards: Shard[] = [];
  let taken = 0;
  let ready: PoolModel | undefined;
  const lost: string[] = [];
  const backInMs: number[] = [];
  const warnings: string[] = [];
  const failed = Promise.withResolvers<{ code: string | undefined; message: string }>();
  const digest = Promise.withResolvers<string>();
  const graph = Promise.withResolvers<GraphFindings>();
  const before = new Set(childrenOf(process.pid));
  const pool = startPool(
    {
      model,
      executionProvider: "cpu",
      shards: 1,
      cpus: 2,
      requestTimeoutMs: PATIENCE_MS,
      loadMs: PATIENCE_MS,
      warmUpMs: PATIENCE_MS,
      ...options,
    },
    {
      onReady: (found) => {
        ready = found;
      },
      onShard: (shard) => shards.push(shard),
      onLost(shard, message, ms) {
        lost.push(`${shard.id}: ${message}`);
        backInMs.push(ms);
      },
      onRetry(message, _delayMs, ms) {
        lost.push(message);
        backInMs.push(ms);
      },
      onWarning: (message) => warnings.push(message),
      onCopyDropped: (message) => warnings.push(message),
      onGraph: graph.resolve,
      onDigest: digest.resolve,
      onFailed: (code, message) => failed.resolve({ code, message }),
    },
  );
  t.after(() => pool.stop());
  return {
    pool,
    /** The next shard that is ready. */
    async shard(): Promise<Shard> {
      await until("a shard", () => shards.length > taken);
      return shards[taken++] ?? assert.fail();
    },
    ready: () => ready ?? assert.fail("not ready"),
    lost,
    backInMs,
    warnings,
    failed: failed.promise,
    digest: digest.promise,
    graph: graph.promise,
    /** The processes that run shards: those that have a link open. */
    pids: () => childrenOf(process.pid).filter((pid) => !before.has(pid) && commandOf(pid).includes("shard.ts")),
  };
};

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
};

const loop = (n: bigint): Job => ({
  inputs: [{ name: "n", datatype: "INT64", shape: [], parts: [bytesOf(BigInt64Array.of(n))] }],
  outputs: ["sum"],
});
const ENDLESS = loop(2n ** 63n - 1n);

const sumOf = async (shard: Shard, n: bigint): Promise<bigint | undefined> => {
  const bytes = (await shard.run(loop(n))).outputs.get("sum")?.bytes ?? new Uint8Array(8);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true);
};

const dense = (width: number, rows: number): Job => ({
  inputs: [
    {
      name: "x",
      datatype: "FP32",
      shape: [rows, width],
      parts: Array.from({ length: rows }, (_, row) =>
        bytesOf(Float32Array.from({ length: width }, (_, i) => Math.sin(i + row))),
      ),
    },
  ],
  outputs: ["y"],
});

/** Kilobytes of memory that is this process's alone and not a file's. */
const anonymousOf = (pid: number): number =>
  Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);

/** Of weights, that this process has begun and not removed. */
const copies = (): string[] =>
  [tmpdir(), "/var/tmp"].flatMap((parent) =>
    readdirSync(parent).filter((name) => name.startsWith(`berth-weights-${process.pid}-`)),
  );

describe("a pool of shards", { concurrency: 2 }, () => {
  it("runs jobs of strings and numbers, of any size", async (t) => {
    const model = identityModel({ s: { type: "BYTES", shape: ["n"] }, h: { type: "FP16", shape: ["m"] } });
    const pool = start(t, model);
    const shard = await pool.shard();
    assert.equal(pool.ready().warmUp.outcome, "passed");
    assert.equal(pool.ready().sharedWeights, false);
    assert.match(await pool.digest, /^[0-9a-f]{64}$/);
    const { findings } = await pool.graph;
    assert.deepEqual(
      findings.map(({ axes }) => axes),
      [{ s: 0, h: 0 }, { s: 0 }, { h: 0 }],
    );
    for (const size of [0, 3, 100_000, 3_000_000]) {
      const text = encodeStrings(["a", "b".repeat(size)]);
      const half = bytesOf(Uint16Array.from({ length: size }, (_, i) => i % 0x7c00));
      const { outputs, runMs } = await shard.run({
        inputs: [
          { name: "s", datatype: "BYTES", shape: [2], parts: [text] },
          { name: "h", datatype: "FP16", shape: [size], parts: [half.subarray(0, size), half.subarray(size)] },
        ],
        outputs: ["h.out", "s.out"],
      });
      assert.ok(runMs > 0);
      assert.ok(Buffer.from(text).equals(outputs.get("s.out")?.bytes ?? new Uint8Array(1)));
      assert.ok(Buffer.from(half).equals(outputs.get("h.out")?.bytes ?? new Uint8Array(1)));
    }
  });

  it("an input that does not fit fails alone", async (t) => {
    const shard = await start(t, loopModel()).shard();
    const job: Job = {
      inputs: [{ name: "n", datatype: "INT64", shape: [2], parts: [bytesOf(BigInt64Array.of(1n, 2n))] }],
      outputs: ["sum"],
    };
    await assert.rejects(shard.run(job), { blame: "input" });
    assert.equal(await sumOf(shard, 4n), 4n);
  });

  it("kills a run that does not end, and starts another process; others go on", async (t) => {
    const timers = handTimers();
    const pool = start(t, loopModel(), { shards: 2, requestTimeoutMs: 500, after: timers.after });
    const first = await pool.shard();
    const second = await pool.shard();
    const endless = assert.rejects(first.run(ENDLESS), (error) => {
      assert.ok(error instanceof ShardLost && error.how === "timeout");
      assert.match(error.message, /longer than --request-timeout \(0.5 s\)/);
      return true;
    });
    assert.equal(await sumOf(second, 5n), 5n);
    timers.ring(500);
    await endless;
    const again = await pool.shard();
    assert.equal(again.id, first.id);
    assert.equal(await sumOf(again, 6n), 6n);
    assert.deepEqual(pool.lost, ["0: a run took longer than --request-timeout (0.5 s)"]);
    await assert.rejects(first.run(loop(1n)), ShardLost);
  });

  it("a crash during a run is told by its signal, and another process follows", async (t) => {
    const pool = start(t, loopModel());
    const shard = await pool.shard();
    const run = assert.rejects(shard.run(ENDLESS), (error) => {
      assert.ok(error instanceof ShardLost && error.how === "crash");
      assert.match(error.message, /it was ended by SIGSEGV/);
      return true;
    });
    const [pid = 0] = pool.pids();
    process.kill(pid, "SIGSEGV");
    await run;
    assert.equal(await sumOf(await pool.shard(), 7n), 7n);
  });

  it("a model that has served and does not load again is tried again, and blamed for nothing", async (t) => {
    const good = loopModel();
    const model = join(newDirectory(), "model.onnx");
    copyFileSync(good, model);
    const pool = start(t, model);
    await pool.shard();
    await pool.digest;
    writeFileSync(model, "this is no model");
    process.kill(pool.pids()[0] ?? 0, "SIGKILL");
    await until("a load that fails", () => pool.lost.length === 2);
    copyFileSync(good, model);
    assert.equal(await sumOf(await pool.shard(), 7n), 7n);
    assert.match(pool.lost[0] ?? "", /^0: it was ended by SIGKILL/);
    assert.ok(pool.backInMs.every((ms) => ms > 0 && ms < PATIENCE_MS) && pool.backInMs.length === 2);
  });

  it("another model under its name is never served, and the reason is told", async (t) => {
    const model = join(newDirectory(), "model.onnx");
    copyFileSync(loopModel(), model);
    const pool = start(t, model);
    assert.equal(await sumOf(await pool.shard(), 7n), 7n);
    await pool.digest;
    // its input and output have the same names: it would answer, and otherwise
    const other = readFileSync(model);
    writeFileSync(model, Buffer.from(other.toString("latin1").replace("Add", "Sub"), "latin1"));
    process.kill(pool.pids()[0] ?? 0, "SIGKILL");
    const { code, message } = await pool.failed;
    assert.equal(code, undefined);
    assert.match(message, /model\.onnx is not the file that was checked/);
    assert.ok(
      pool.lost.slice(1).every((why) => /is not the file that was checked/.test(why)),
      pool.lost.join("\n"),
    );
  });

  it("outputs that are larger than may be answered are the request's fault, and cost nothing else", async (t) => {
    const model = identityModel({ x: { type: "FP32", shape: ["n"] } });
    const shard = await start(t, model, { maxAnswerBytes: 4000 }).shard();
    const run = (n: number) =>
      shard.run({
        inputs: [{ name: "x", datatype: "FP32", shape: [n], parts: [bytesOf(new Float32Array(n))] }],
        outputs: ["x.out"],
      });
    await assert.rejects(run(1001), (error) => {
      assert.ok(error instanceof InferenceError && error.blame === "input");
      assert.match(error.message, /outputs of this run have 4004 bytes, at most 4000/);
      return true;
    });
    assert.equal((await run(1000)).outputs.get("x.out")?.bytes.length, 4000);
  });

  it("a shard, and not the process that started it, is the kernel's choice where memory is short", async (t) => {
    const pool = start(t, loopModel());
    await pool.shard();
    const score = (pid: number) => Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"));
    const [pid = 0] = pool.pids();
    assert.equal(score(pid), Math.min(1000, score(process.pid) + 500));
  });

  it("a model that cannot be served fails with its code", async (t) => {
    const text = join(newDirectory(), "model.onnx");
    writeFileSync(text, "this is no model");
    assert.equal((await start(t, text).failed).code, "ModelInvalid");
    const unknown = await start(t, unknownOperatorModel("NoSuchThing")).failed;
    assert.equal(unknown.code, "ModelInvalid");
    assert.match(unknown.message, /NoSuchThing/);
  });

  it("a first inference that does not end fails", async (t) => {
    const failed = await start(t, loopModel({ endless: true }), { warmUpMs: 300 }).failed;
    assert.equal(failed.code, "WarmUpFailed", failed.message);
    assert.match(failed.message, /did not end within 0.3 s/);
  });

  it("a load that does not end fails, be it in a shard or where the copy is made", async (t) => {
    const model = endlessLoadModel();
    const timers = handTimers();
    const options = { loadMs: 1500, after: timers.after };
    const loading = start(t, model, options);
    await until("a load, after the check of the file", () => timers.begun(1500) === 2);
    timers.ring(1500);
    const failed = await loading.failed;
    assert.equal(failed.code, "ModelInvalid");
    assert.match(failed.message, /did not load within 1.5 s/);
    const copying = start(t, model, { ...options, shards: 2 });
    await until("a copy that is being made", () => copies().length === 1, copies);
    timers.ring(1500);
    assert.deepEqual(await copying.failed, failed);
    assert.deepEqual([copying.warnings, copies()], [[], []]);
  });

  it("a server that is killed leaves no shard, though one is in an endless run, and no copy", async (t) => {
    const script = `
      import { startPool } from ${JSON.stringify(new URL("./pool.ts", import.meta.url).href)};
      const none = () => undefined;
      startPool({ model: ${JSON.stringify(loopModel())}, executionProvider: "cpu", shards: 1, cpus: 1, requestTimeoutMs: 1e6, loadMs: 1e6, warmUpMs: 1e6 },
        { onReady: none, onLost: none, onRetry: none, onWarning: none, onCopyDropped: none, onDigest: none, onGraph: none, onFailed: none, onShard(shard) {
          const n = new Uint8Array(BigInt64Array.of(2n ** 63n - 1n).buffer);
          shard.run({ inputs: [{ name: "n", datatype: "INT64", shape: [], parts: [n] }], outputs: ["sum"] });
          console.log("running");
        } });`;
    const server = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => server.kill("SIGKILL"));
    await new Promise((resolve, reject) => {
      createInterface(server.stdout).once("line", resolve);
      server.once("exit", reject);
    });
    const shards = childrenOf(server.pid ?? 0).filter((pid) => commandOf(pid).includes("shard.ts"));
    assert.equal(shards.length, 1);
    server.kill("SIGKILL");
    await until("the shard is gone", () => shards.every((pid) => !existsSync(`/proc/${pid}`) || commandOf(pid) === ""));
  });
});

// By itself: the memory of other tests' shards would be taken for that of its own.
describe("the weights of a pool of shards", () => {
  it("a second shard adds less than a fifth of the weights, and answers are the same to the bit", async (t) => {
    const model = denseModel([784, 3072, 3072, 1024, 10]);
    const weights = 784 * 3072 + 3072 * 3072 + 3072 * 1024 + 1024 * 10;
    const job = dense(784, 4);
    const alone = start(t, model);
    const expected = (await (await alone.shard()).run(job)).outputs.get("y")?.bytes;
    await alone.pool.stop();
    const tiny = start(t, denseModel([784, 10]));
    await (await tiny.shard()).run(job);
    const base = anonymousOf(tiny.pids()[0] ?? 0);
    await tiny.pool.stop();

    const pool = start(t, model, { shards: 2, cpus: 2 });
    for (const shard of [await pool.shard(), await pool.shard()]) {
      assert.deepEqual((await shard.run(job)).outputs.get("y")?.bytes, expected);
    }
    assert.equal(pool.ready().sharedWeights, true);
    assert.deepEqual(pool.warnings, []);
    for (const pid of pool.pids()) {
      const added = (anonymousOf(pid) - base) * 1024;
      assert.ok(added < 0.2 * 4 * weights, `${added} bytes of ${4 * weights}`);
    }
  });
});
