import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { InferenceError } from "../../engine/errors.ts";
import { elementCount, type Tensor, type TensorInfo } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import {
  answerDecoder,
  answerEncoder,
  decodeControl,
  decodeJob,
  encodeControl,
  encodeRefusal,
  jobEncoder,
  MalformedFrame,
} from "./frames.ts";
import { frameReader } from "./link.ts";
import type { Job } from "./types.ts";

const info = (name: string, datatype: TensorInfo["datatype"]): TensorInfo => ({
  name,
  datatype,
  shape: [null, null],
  symbols: [null, null],
});
const MODEL = {
  inputs: [info("a", "FP32"), info("b", "INT8"), info("s", "BYTES")],
  outputs: [info("x", "INT64"), info("y", "BOOL"), info("z", "BYTES")],
};

const concat = (pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
};

const bytesOfSize = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 37) % 251);
const shapes = fc
  .array(fc.integer({ min: 0, max: 50 }), { maxLength: 3 })
  .filter((s) => (elementCount(s) ?? 0) < 50_000);
const cuts = fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 50 });

const jobs = fc
  .record({
    a: shapes,
    b: shapes,
    s: fc.array(fc.string(), { maxLength: 5 }),
    outputs: fc.subarray(["x", "y", "z"]),
    cuts,
  })
  .map(({ a, b, s, outputs, cuts }): { job: Job; whole: Map<string, Tensor> } => {
    const whole = new Map<string, Tensor>([
      ["s", { datatype: "BYTES", shape: [s.length], bytes: encodeStrings(s) }],
      ["b", { datatype: "INT8", shape: b, bytes: bytesOfSize(elementCount(b) ?? 0) }],
      ["a", { datatype: "FP32", shape: a, bytes: bytesOfSize((elementCount(a) ?? 0) * 4) }],
    ]);
    const inputs = [...whole].map(([name, { datatype, shape, bytes }]) => ({
      name,
      datatype,
      shape,
      parts: split(bytes, cuts),
    }));
    return { job: { inputs, outputs }, whole };
  });

const split = (bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] => {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...parts, bytes.subarray(at)];
};

describe("frames", () => {
  it("a job arrives as it was sent, however its inputs are made of parts", () => {
    const encode = jobEncoder(MODEL);
    fc.assert(
      fc.property(jobs, ({ job, whole }) => {
        const decoded = decodeJob(concat(encode(job)), MODEL);
        assert.deepEqual(decoded.outputs, job.outputs);
        assert.deepEqual([...decoded.inputs.keys()], ["s", "b", "a"]);
        for (const [name, { datatype, shape, bytes }] of whole) {
          const tensor = decoded.inputs.get(name);
          assert.deepEqual([tensor?.datatype, tensor?.shape], [datatype, shape]);
          assert.ok(Buffer.from(bytes).equals(tensor?.bytes ?? new Uint8Array(1)));
          assert.equal((tensor?.bytes.byteOffset ?? 1) % 8, 0);
        }
      }),
    );
  });

  it("answers and refusals arrive through any splits of the bytes, each in memory at a multiple of eight", () => {
    const encode = answerEncoder();
    const decode = answerDecoder(MODEL);
    const answers = fc.record({ x: shapes, y: shapes, runMs: fc.double({ min: 0, max: 1e6, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(answers, { maxLength: 4 }), fc.string(), cuts, (all, message, sizes) => {
        const stream = all.map(({ x, y, runMs }) => {
          const outputs = new Map<string, Tensor>([
            ["y", { datatype: "BOOL", shape: y, bytes: bytesOfSize(elementCount(y) ?? 0) }],
            ["x", { datatype: "INT64", shape: x, bytes: bytesOfSize((elementCount(x) ?? 0) * 8) }],
          ]);
          return { outputs, runMs, bytes: concat(encode(outputs, runMs)) };
        });
        const got: ReturnType<typeof decode>[] = [];
        const read = frameReader((frame) => {
          assert.equal(frame.byteOffset % 8, 0);
          got.push(decode(frame, ["y", "x"]));
        });
        const refusal = encodeRefusal(new InferenceError("input", message));
        for (const piece of split(concat([...stream.map(({ bytes }) => bytes), refusal]), sizes)) read(piece);
        const last = got.pop();
        assert.ok(last instanceof InferenceError && last.blame === "input");
        assert.equal(last.message, message.toWellFormed());
        assert.equal(got.length, stream.length);
        for (const [i, { outputs, runMs }] of stream.entries()) {
          const one = got[i];
          assert.ok(one !== undefined && !(one instanceof InferenceError));
          assert.equal(one.runMs, runMs);
          for (const [name, { shape, bytes }] of outputs) {
            assert.deepEqual(one.outputs.get(name)?.shape, shape);
            assert.ok(Buffer.from(bytes).equals(one.outputs.get(name)?.bytes ?? new Uint8Array(1)));
          }
        }
      }),
    );
  });

  it("any other bytes are refused, or are a frame within bounds", () => {
    const decode = answerDecoder(MODEL);
    const encode = answerEncoder();
    const good = concat(encode(new Map([["x", { datatype: "INT64", shape: [2, 3], bytes: bytesOfSize(48) }]]), 1));
    const damaged = fc
      .tuple(fc.nat(8), fc.oneof(fc.double(), fc.integer(), fc.constantFrom(1, 2, 3, 4, 1e300, 2 ** 53, -1)))
      .map(([at, number]) => {
        const copy = good.slice();
        new Float64Array(copy.buffer)[at] = number;
        return copy;
      });
    const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, random), cuts, (bytes, sizes) => {
        const read = frameReader((frame) => {
          assert.ok(frame.length <= 4096);
          try {
            decodeControl(frame);
            decodeJob(frame, MODEL);
          } catch (error) {
            if (!(error instanceof MalformedFrame)) throw error;
          }
          const answer = decode(frame, ["x"]);
          if (!(answer instanceof InferenceError))
            assert.ok((answer.outputs.get("x")?.bytes.length ?? 9e9) <= frame.length);
        }, 4096);
        try {
          for (const piece of split(bytes, sizes)) read(piece);
        } catch (error) {
          if (!(error instanceof MalformedFrame)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });

  it("a length beyond the limit is an error before memory is taken", () => {
    const head = new Uint8Array(Float64Array.of(2, 2 ** 31, 4).buffer);
    const read = frameReader(() => assert.fail("a frame"));
    assert.throws(() => read(head), /a frame of 2147483648 bytes is longer than 2147483640/);
  });

  it("control messages are JSON", () => {
    assert.deepEqual(decodeControl(encodeControl({ some: ["thing"] })), { some: ["thing"] });
    assert.equal(decodeControl(encodeRefusal(new InferenceError("internal", "no"))), undefined);
  });

  it("a tensor that the model does not have is the caller's fault, and large heads find room", () => {
    const encode = jobEncoder(MODEL);
    const many = { inputs: [], outputs: Array<string>(20_000).fill("x") };
    assert.equal(decodeJob(concat(encode(many)), MODEL).outputs.length, 20_000);
    assert.throws(() => encode({ inputs: [], outputs: ["none"] }), /the model has no tensor "none"/);
  });
});
