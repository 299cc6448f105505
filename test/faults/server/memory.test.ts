import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { identityModel } from "../../runtime/models.ts";
import { startServer } from "../../runtime/server.ts";
import { CLUSTER_PATIENCE_S } from "../../world/patience.ts";
import { assertTells, bystander, post } from "./bystander.ts";
import { callOnce, field, grpcSession, varintField } from "./http2.ts";
import { limitMemory } from "./limited.ts";
import { MIB, peakGrowth } from "./memory.ts";

const BODY = 16 * MIB;
const good = '{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}';

const fill = (piece: string | Uint8Array, prefix = "", suffix = ""): Buffer => {
  const bytes = Buffer.from(piece);
  const count = Math.floor((BODY - prefix.length - suffix.length - 64) / bytes.length);
  return Buffer.concat([Buffer.from(prefix), Buffer.alloc(count * bytes.length, bytes), Buffer.from(suffix)]);
};

test("a message takes memory in proportion to its bytes, whatever it is made of", {
  timeout: CLUSTER_PATIENCE_S * 1000,
}, async (t) => {
  const model = identityModel({ x: { type: "FP32", shape: ["batch", 4] } });
  // so that what may wait is little
  const limited = limitMemory(768 * MIB);
  t.diagnostic(limited.how);
  const options = ["--max-body", "16Mi", "--shards", "1"];
  const server = startServer(t, model, options, limited.limits, process.env, limited.group);
  t.after(limited.remove);
  await server.ready;
  const status: unknown = await (await fetch(server.admin("/statusz"))).json();
  /** What may wait, in bytes. */
  const { most } = z.object({ waitingBytes: z.object({ most: z.number() }) }).parse(status).waitingBytes;
  const pid = server.process.pid ?? 0;
  const other = bystander(server, good);
  const within = async (what: string, most: number, run: () => Promise<void>): Promise<void> => {
    const growth = await peakGrowth(pid, run);
    t.diagnostic(`${what}: ${Math.round(growth / MIB)} MiB`);
    assert.ok(growth < most, `${what}: took ${Math.round(growth / MIB)} MiB`);
  };

  const infer = "/v2/models/m/infer";
  const bodies: [string, string, Buffer][] = [
    ["empty lists in JSON", infer, fill("[],", '{"inputs":[],"parameters":{"a":[', "1]}}")],
    ["empty objects in JSON", infer, fill("{},", '{"inputs":[],"parameters":{"a":[', "1]}}")],
    ["numbers in JSON", infer, fill("1,", '{"inputs":[],"parameters":{"a":[', "1]}}")],
    ["dimensions in JSON", infer, fill("1,", '{"inputs":[{"name":"x","datatype":"FP32","data":[1],"shape":[', "1]}]}")],
    ["TF Serving: empty rows", "/v1/models/m:predict", fill("{},", '{"instances":[', "1]}")],
    ["TF Serving: rows of rows", "/v1/models/m:predict", fill("[],", '{"instances":[', "[]]}")],
    ["TF Serving: examples", "/v1/models/m:classify", fill("{},", '{"examples":[', "{}]}")],
    ["TF Serving: features", "/v1/models/m:classify", fill('{"x":1},', '{"examples":[', "{}]}")],
  ];
  for (const [what, path, body] of bodies) {
    await t.test(what, () =>
      within(what, 128 * MIB, async () => {
        const { status, text } = await post(server, body, { path });
        assert.equal(status, 400, text.slice(0, 300));
        assertTells(text, /./);
        assert.ok(text.length < 4096, `${text.length} bytes of answer`);
      }),
    );
  }

  const spec = field(1, field(1, "m"));
  const predict = "/tensorflow.serving.PredictionService/Predict";
  const classify = "/tensorflow.serving.PredictionService/Classify";
  const modelInfer = "/inference.GRPCInferenceService/ModelInfer";
  const tensor = (values: Uint8Array, rows: number) => {
    const shape = field(2, Buffer.concat([field(2, varintField(1, rows)), field(2, varintField(1, 4))]));
    return field(2, Buffer.concat([field(1, "x"), field(2, Buffer.concat([varintField(1, 1), shape, values]))]));
  };
  const messages: [string, string, Buffer][] = [
    ["gRPC: inputs without anything", modelInfer, fill(Uint8Array.of(0x2a, 0))],
    ["gRPC: raw contents without anything", modelInfer, fill(Uint8Array.of(0x3a, 0))],
    ["gRPC: parameters", modelInfer, fill(Uint8Array.of(0x22, 0))],
    [
      "TF Serving: floats each for itself",
      predict,
      Buffer.concat([spec, tensor(fill(Uint8Array.of(0x2d, 0, 0, 0, 0)), 7)]),
    ],
    ["TF Serving: inputs without anything", predict, Buffer.concat([spec, fill(Uint8Array.of(0x12, 0))])],
    ["TF Serving: filters", predict, Buffer.concat([spec, fill(Uint8Array.of(0x1a, 0))])],
    [
      "TF Serving: dimensions",
      predict,
      Buffer.concat([
        spec,
        field(
          2,
          Buffer.concat([
            field(1, "x"),
            field(2, Buffer.concat([varintField(1, 1), field(2, fill(Uint8Array.of(0x12, 0)))])),
          ]),
        ),
      ]),
    ],
    [
      "TF Serving: examples of nothing",
      classify,
      Buffer.concat([spec, field(2, field(1, fill(Uint8Array.of(0x0a, 0))))]),
    ],
  ];
  for (const [what, method, message] of messages) {
    await t.test(`${what} in a message`, () =>
      within(what, 128 * MIB, async () => {
        const session = await grpcSession(server.grpc());
        const { status, message: details } = await callOnce(session, method, message);
        session.destroy();
        assert.ok([3, 5, 8].includes(status), `${status} ${details.slice(0, 300)}`);
        assertTells(details, /./);
        assert.ok(details.length < 4096, `${details.length} bytes of answer`);
      }),
    );
  }

  await t.test("many zip bombs at once", () =>
    within("zip bombs", most + 128 * MIB, async () => {
      const bomb = gzipSync(Buffer.alloc(BODY * 8), { level: 1 });
      const answers = await Promise.all(
        Array.from({ length: 40 }, () => post(server, bomb, { headers: { "content-encoding": "gzip" } })),
      );
      for (const { status, text } of answers) {
        assert.ok(status === 413 || status === 429, `${status} ${text}`);
        assertTells(text, /--max-body|too many large/);
      }
    }),
  );

  await t.test("large bodies that come together and never end", async () => {
    const almost = Buffer.alloc(BODY - 1, "1");
    const head = `POST ${infer} HTTP/1.1\r\nHost: h\r\nContent-Length: ${BODY}\r\n\r\n`;
    const sockets = Array.from({ length: Math.floor(most / BODY) }, () =>
      connect({ port: Number(new URL(server.url("")).port), host: "127.0.0.1" }),
    );
    try {
      for (const socket of sockets) socket.on("error", () => undefined);
      await Promise.all(
        sockets.map(
          (socket) => new Promise<void>((sent) => socket.write(head, () => socket.write(almost, () => sent()))),
        ),
      );
      const late = await post(server, almost);
      assert.deepEqual([late.status, /too many large/.test(late.text)], [429, true], `no room is left: ${late.text}`);
      const before = other.answered();
      // A body that comes whole is not counted, so these come in two pieces.
      for (let i = 0; i < 20; i++) assert.equal((await post(server, good, { restAfterMs: 2 })).status, 200);
      assert.ok(other.answered() > before);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  await t.test("others were served all the time", async () => {
    assert.deepEqual(await other.stop(), []);
    assert.ok(other.answered() > 20, `only ${other.answered()} answers, the slowest after ${other.slowestMs()} ms`);
    assert.equal(server.process.exitCode, null);
  });
});
