import assert from "node:assert/strict";
import { constants } from "node:http2";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { identityModel } from "../../runtime/models.ts";
import { startServer } from "../../runtime/server.ts";
import { CLUSTER_PATIENCE_S } from "../../world/patience.ts";
import { assertTells, bystander, callsOf } from "./bystander.ts";
import { callFramed, callOnce, field, framed, grpcSession, HEADERS, varintField } from "./http2.ts";
import { MIB, peakGrowth } from "./memory.ts";
import { damaged, RUNS, SEED } from "./mutations.ts";
import { rawConnection } from "./raw.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";
const PREDICT = "/tensorflow.serving.PredictionService/Predict";
const JSON_REQUEST = '{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}';

const request = (rows: number, raw: Uint8Array) => {
  const shape = Buffer.concat([varintField(3, rows), varintField(3, 4)]);
  const input = field(5, Buffer.concat([field(1, "x"), field(2, "FP32"), shape]));
  return Buffer.concat([field(1, "m"), input, field(7, raw)]);
};
const good = request(1, Buffer.alloc(16));
const predict = (content: number) => {
  const shape = field(2, Buffer.concat([field(2, varintField(1, 1)), field(2, varintField(1, 4))]));
  const proto = Buffer.concat([varintField(1, 1), shape, field(4, Buffer.alloc(content))]);
  return Buffer.concat([field(1, field(1, "m")), field(2, Buffer.concat([field(1, "x"), field(2, proto)]))]);
};

/** RFC 9113: a frame, and how a client begins. */
const frame = (type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0)]);
const times = (count: number, bytes: Uint8Array): Buffer => Buffer.alloc(count * bytes.length, bytes);

test("clients that do harm over gRPC are told what is wrong or sent away, and nobody else notices", {
  timeout: CLUSTER_PATIENCE_S * 1000,
}, async (t) => {
  const model = identityModel({ x: { type: "FP32", shape: ["batch", 4] } });
  const server = startServer(t, model, ["--max-body", "16Mi", "--shards", "1"]);
  await server.ready;
  const pid = server.process.pid ?? 0;
  const port = Number(server.grpc().split(":")[1]);
  const overHttp = bystander(server, JSON_REQUEST);
  const kept = await grpcSession(server.grpc());
  const overGrpc = callsOf(async () => {
    const { status, message } = await callOnce(kept, INFER, good);
    return status === 0 ? undefined : `${status} ${message}`;
  });

  const bounded = async (most: number, run: () => Promise<void>): Promise<void> => {
    const growth = await peakGrowth(pid, run);
    t.diagnostic(`${Math.round(growth / MIB)} MiB more, at most ${most / MIB} are good`);
    assert.ok(growth < most, `${Math.round(growth / MIB)} MiB more`);
  };

  /** Sends the bytes for so long as they are taken, until the server ends the connection. */
  const ends = async (pieces: readonly Uint8Array[]): Promise<void> => {
    const raw = await rawConnection(port);
    for (const piece of pieces) {
      if (raw.socket.destroyed) break;
      if (!raw.socket.write(piece)) {
        await Promise.race([new Promise((resolve) => raw.socket.once("drain", resolve)), sleep(500)]);
      }
    }
    await raw.closed();
  };

  await t.test("lengths that are wrong", async () => {
    const session = await grpcSession(server.grpc());
    const cases: [string, Uint8Array, number, RegExp][] = [
      [INFER, framed(request(1, Buffer.alloc(15))), 3, /x.*16/],
      [INFER, framed(request(1, Buffer.alloc(17))), 3, /x.*16/],
      [INFER, framed(request(2 ** 40, Buffer.alloc(16))), 3, /x/],
      [INFER, framed(good.subarray(0, -1)), 3, /protobuf/],
      [PREDICT, framed(predict(15)), 3, /x.*16/],
      [PREDICT, framed(predict(17)), 3, /x.*16/],
      [INFER, framed(good, 0xffffffff), 8, /at most 16777216/],
      [INFER, framed(good, 17 * MIB), 8, /at most 16777216/],
    ];
    for (const [path, bytes, wanted, fault] of cases) {
      const { status, message } = await callFramed(session, path, bytes);
      assert.equal(status, wanted, message);
      assertTells(message, fault);
    }
    for (const bytes of [
      framed(good, good.length + 1),
      framed(good).subarray(0, 3),
      Buffer.alloc(0),
      framed(good).subarray(0, -1),
    ]) {
      const failed = await callFramed(session, INFER, bytes).catch((error: Error) => ({
        status: 13,
        message: error.message,
      }));
      assert.notEqual(failed.status, 0);
      assertTells(failed.message, /./);
    }
    session.destroy();
  });

  await t.test("messages that decompress to large ones, many at once", () =>
    bounded(512 * MIB, async () => {
      // first, since it may take longer than a connection may be silent
      const bomb = framed(gzipSync(Buffer.alloc(256 * MIB), { level: 1 }), undefined, 1);
      const session = await grpcSession(server.grpc());
      const bombed = () => callFramed(session, INFER, bomb, { "grpc-encoding": "gzip" });
      const alone = await bombed();
      assert.equal(alone.status, 8, alone.message);
      assertTells(alone.message, /larger/);
      // together they may take more than the buffers' bound, and then their connection is ended
      for (const call of await Promise.allSettled(Array.from({ length: 20 }, bombed))) {
        if (call.status === "fulfilled") assert.equal(call.value.status, 8, call.value.message);
      }
      session.destroy();
    }),
  );

  await t.test("what is no HTTP/2 at all", async () => {
    for (const garbage of [
      "GET / HTTP/1.1\r\nhost: m\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      "\0".repeat(100_000),
    ]) {
      await ends([Buffer.from(garbage, "latin1")]);
    }
    await ends([PREFACE, frame(0, 0, 0, Buffer.from("data of no stream"))]);
    await ends([PREFACE, frame(1, 4, 1, Buffer.alloc(100, 0xff))]);
  });

  await t.test("a flood of pings, of settings, and of headers that go on for ever", () =>
    bounded(128 * MIB, async () => {
      const pings = times(10_000, frame(6, 0, 0, Buffer.alloc(8)));
      const settings = times(10_000, frame(4, 0, 0));
      const open = frame(1, 0, 1, Buffer.from([0x82]));
      const more = times(60, frame(9, 0, 1, Buffer.alloc(16_000)));
      const silent = async (pieces: Uint8Array[]): Promise<void> => {
        const raw = await rawConnection(port);
        raw.socket.pause();
        for (const piece of pieces) raw.socket.write(piece);
        // time for more memory than is right, as in all that only pause here
        await sleep(1500);
        raw.socket.destroy();
      };
      await Promise.all([
        silent([PREFACE, ...Array<Buffer>(100).fill(pings)]),
        silent([PREFACE, ...Array<Buffer>(100).fill(settings)]),
        ends([PREFACE, open, ...Array<Buffer>(100).fill(more)]),
      ]);
    }),
  );

  await t.test("streams that are opened and reset as fast as they can be", () =>
    bounded(192 * MIB, async () => {
      for (let connection = 0; connection < 3; connection++) {
        const session = await grpcSession(server.grpc());
        for (let i = 0; i < 20_000 && !session.destroyed && !session.closed; i++) {
          const stream = session.request({ ...HEADERS, ":path": INFER });
          stream.on("error", () => undefined);
          stream.close(constants.NGHTTP2_CANCEL);
          if (i % 100 === 0) await sleep(0);
        }
        session.destroy();
      }
    }),
  );

  await t.test("headers that are too many or too large", () =>
    bounded(128 * MIB, async () => {
      for (const [count, size] of [
        [5000, 10],
        [100, 100_000],
      ] as const) {
        const session = await grpcSession(server.grpc());
        const many = Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "y".repeat(size)]));
        const outcome = await callFramed(session, INFER, framed(good), many).catch((error: Error) => error);
        if (!(outcome instanceof Error)) assertTells(outcome.message, /./);
        session.destroy();
      }
    }),
  );

  await t.test("a window that takes everything, and a client that reads nothing", () =>
    bounded(768 * MIB, async () => {
      const session = await grpcSession(server.grpc(), { settings: { initialWindowSize: 2 ** 31 - 1 } });
      const large = framed(request(65_536, Buffer.alloc(MIB)));
      for (let i = 0; i < 200; i++) {
        const stream = session.request({ ...HEADERS, ":path": INFER });
        stream.on("error", () => undefined);
        stream.end(large);
      }
      await sleep(2000);
      session.destroy();
    }),
  );

  await t.test("messages that never end, on all streams of a connection", () =>
    bounded(512 * MIB, async () => {
      const session = await grpcSession(server.grpc());
      const part = framed(Buffer.alloc(12 * MIB), 15 * MIB);
      for (let i = 0; i < 256; i++) {
        const stream = session.request({ ...HEADERS, ":path": INFER });
        stream.on("error", () => undefined);
        stream.write(part);
      }
      await sleep(5000);
      session.destroy();
    }),
  );

  await t.test("clients that leave while their calls run", async () => {
    for (let i = 0; i < 100; i++) {
      const session = await grpcSession(server.grpc());
      const call = callOnce(session, INFER, good).catch(() => undefined);
      if (i % 2 === 0) await sleep(0);
      session.destroy();
      await call;
    }
  });

  await t.test("damaged requests are all answered, and none with a failure of the server", async () => {
    const session = await grpcSession(server.grpc());
    const seen = new Map<number, number>();
    const infer = damaged([good]).map((message) => ({ path: INFER, message }));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          infer,
          damaged([predict(16)]).map((message) => ({ path: PREDICT, message })),
        ),
        async ({ path, message }) => {
          const { status, message: details } = await callOnce(session, path, message);
          seen.set(status, (seen.get(status) ?? 0) + 1);
          assert.ok([0, 3, 5, 8].includes(status), `${status} ${details}`);
          if (status !== 0) assertTells(details, /./);
        },
      ),
      { seed: SEED, numRuns: Math.min(RUNS, 100_000) / 10 },
    );
    session.destroy();
    t.diagnostic(`statuses: ${[...seen].map(([status, count]) => `${status}: ${count}`).join(", ")}`);
    assert.ok((seen.get(0) ?? 0) > 0 && (seen.get(3) ?? 0) > 0);
  });

  await t.test("others were served all the time, on both ports", async () => {
    assert.deepEqual(await overHttp.stop(), []);
    assert.deepEqual(await overGrpc.stop(), []);
    kept.destroy();
    t.diagnostic(
      `HTTP ${overHttp.answered()}, slowest ${Math.round(overHttp.slowestMs())} ms; gRPC ${overGrpc.answered()}, slowest ${Math.round(overGrpc.slowestMs())} ms`,
    );
    assert.ok(overHttp.answered() > 100 && overGrpc.answered() > 100);
    assert.equal(server.process.exitCode, null);
    assert.equal(server.stderr(), "");
  });
});
