import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { append, type JsonText, writeFlat } from "../../protocols/json/write.ts";
import { createEncoder } from "../../protocols/open-inference/grpc/response.ts";
import { writeTensorProto } from "../../protocols/tensorflow-serving/tensor-proto.ts";
import {
  add,
  addBytes,
  addEntry,
  addMessage,
  addNumber,
  addText,
  finish,
  type Pieces,
  pieces,
} from "../../protocols/tensorflow-serving/wire.ts";
import { DATATYPES, elements, floats, type NumericDatatype, type Tensor } from "../../tensors/index.ts";
import { encodeStrings, splitStrings } from "../../tensors/strings.ts";
import type { AnswerHead, Message } from "../message.ts";
import { compare } from "./compare.ts";
import { judge } from "./judge.ts";
import type { Output, Outputs } from "./outputs.ts";
import { isInference, type Read, readAnswer, readJsonAnswer } from "./read-answer.ts";

const addFloat = (message: Pieces, field: number, value: number): void => {
  const bytes = Buffer.alloc(5);
  bytes[0] = field * 8 + 5;
  bytes.writeFloatLE(value, 1);
  add(message, bytes);
};

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const numbers = (tensor: Tensor | undefined): number[] => {
  if (tensor === undefined || tensor.datatype === "BYTES") return [];
  return Array.from(floats(tensor) ?? elements(tensor.datatype, tensor.bytes), Number);
};
const texts = (tensor: Tensor | undefined): string[] =>
  tensor === undefined
    ? []
    : (splitStrings(tensor.bytes, tensor.shape[0] ?? 0) ?? []).map((one) => Buffer.from(one).toString());
const told = (output: Output | undefined) => [output?.declared, output?.shape, numbers(output)];

const head = (fields: string[] = []): AnswerHead => ({
  ...{ status: 200, outcome: 200, hasBody: true, length: undefined, fields },
});
const message = (protocol: "http" | "grpc", target: string): Message => ({
  ...{ protocol, method: "POST", target, fields: [] },
  body: { kind: "whole", pieces: [], bytes: 0 },
});
const INFER = message("grpc", "/inference.GRPCInferenceService/ModelInfer");
const HTTP = message("http", "/v2/models/m/infer");
const MOST = 2 ** 20;

const prefixed = (bytes: Buffer, flag = 0): Buffer => {
  const prefix = Buffer.from([flag, 0, 0, 0, 0]);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
};
const grpc = (target: string, ...messages: Buffer[]): Promise<Read> =>
  readAnswer(
    message("grpc", target),
    { head: head(), bytes: Buffer.concat(messages.map((one) => prefixed(one))) },
    MOST,
  );
const outputsOf = (read: Read): Outputs => {
  if ("unreadable" in read) throw new assert.AssertionError({ message: read.unreadable });
  return read.outputs;
};
const textOf = (parts: JsonText): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));

const model = { name: "m", version: "1", inputs: [], outputs: [] };
const encoder = createEncoder(model);

const TYPES = Object.keys(DATATYPES).filter((name): name is NumericDatatype => name in DATATYPES);
/** A tensor of any bits of its type: NaN, infinities and the smallest numbers among them. */
const numeric = fc.constantFrom(...TYPES).chain((datatype) =>
  fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 })).chain(([rows, width]) => {
    const size = rows * width * DATATYPES[datatype].bytes;
    const byte = datatype === "BOOL" ? fc.nat(1) : fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff));
    return fc
      .array(byte, { minLength: size, maxLength: size })
      .map((bytes): Tensor => ({ datatype, shape: [rows, width], bytes: Uint8Array.from(bytes) }));
  }),
);
const strings = fc
  .array(fc.string({ unit: "grapheme" }), { minLength: 1, maxLength: 4 })
  .map((values): Tensor => ({ datatype: "BYTES", shape: [values.length], bytes: encodeStrings(values) }));
const tensor = fc.oneof({ weight: 4, arbitrary: numeric }, strings);

/** In each protocol that has a form for it: what the server writes. */
const written: Record<string, (given: Tensor) => Promise<Read> | undefined> = {
  json: ({ datatype, shape, bytes }) => {
    if (datatype === "FP16") return undefined;
    const described = JSON.stringify({ name: "y", datatype, shape }).slice(0, -1);
    const text: JsonText = [`{"outputs":[${described},"data":`];
    append(text, writeFlat({ datatype, shape, bytes }));
    append(text, ["}]}"]);
    return readAnswer(HTTP, { head: head(), bytes: textOf(text) }, MOST);
  },
  binary: ({ datatype, shape, bytes }) => {
    const parameters = { binary_data_size: bytes.length };
    const text = json({ outputs: [{ name: "y", datatype, shape, parameters }] });
    const fields = ["inference-header-content-length", String(text.length)];
    return readAnswer(HTTP, { head: head(fields), bytes: Buffer.concat([text, bytes]) }, MOST);
  },
  grpc: (given) => grpc(INFER.target, encoder.response({ id: "7", outputs: [["y", given]] })),
  stream: (given) => {
    const response = { id: "7", outputs: [["y", given]] } as const;
    const answer = encoder.streamResponse({ error: "", response, final: true });
    return grpc("/inference.GRPCInferenceService/ModelStreamInfer", answer);
  },
  "TensorFlow Serving": (given) => {
    const answer = pieces();
    addEntry(answer, 1, "y", writeTensorProto(given));
    return grpc("/tensorflow.serving.PredictionService/Predict", finish(answer));
  },
};

describe("outputs of an answer", () => {
  for (const [protocol, write] of Object.entries(written))
    it(`are in ${protocol} what the server has written, of every type, NaN and infinities too`, async () => {
      await fc.assert(
        fc.asyncProperty(tensor, async (given) => {
          const read = await write(given);
          if (read === undefined) return;
          const y = outputsOf(read).get("y");
          assert.deepEqual([y?.name, y?.declared, y?.shape], ["y", given.datatype, given.shape]);
          const equal = new Map([["y", { kind: "equal" } as const]]);
          const expected = new Map([["y", { ...given, name: "y", declared: given.datatype }]]);
          assert.equal(compare(expected, outputsOf(read), equal).kind, "compared");
          assert.deepEqual(compare(expected, outputsOf(read), equal), {
            ...{ kind: "compared", agrees: true, outputs: [{ place: "y", agrees: true, differing: 0 }] },
          });
        }),
        { numRuns: 200 },
      );
    });

  it("are those of the Open Inference Protocol, flat or nested", () => {
    const output = { name: "p", datatype: "FP32", shape: [2, 2] };
    for (const data of [
      [1, 2, 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
    ]) {
      const outputs = readJsonAnswer(json({ id: "7", outputs: [{ ...output, data }] }), undefined);
      assert.deepEqual(told(outputs.get("p")), ["FP32", [2, 2], [1, 2, 3, 4]]);
    }
  });

  it("may have NaN and infinities as bare words, as strings, or as null", () => {
    const output = `"name":"p","datatype":"FP32","shape":[4]`;
    for (const [data, last] of [
      ["[1,NaN,Infinity,-Infinity]", -Infinity],
      [`[1,"NaN","Infinity","-Infinity"]`, -Infinity],
      ["[1,null,Infinity,null]", Number.NaN],
    ] as const) {
      const outputs = readJsonAnswer(Buffer.from(`{"outputs":[{"data":${data},${output}}]}`), undefined);
      assert.deepEqual(numbers(outputs.get("p")), [1, Number.NaN, Infinity, last], data);
    }
    assert.throws(
      () => readJsonAnswer(Buffer.from(`{"outputs":[{${output},"data":[1,"x",2,3]}]}`), undefined),
      /output "p": data\[1\] is not a number/,
    );
  });

  it("of types that JSON has no form of here are their numbers", () => {
    for (const datatype of ["FP16", "BF16"]) {
      const outputs = readJsonAnswer(
        json({ outputs: [{ name: "p", datatype, shape: [2], data: [0.5, 3] }] }),
        undefined,
      );
      assert.deepEqual(told(outputs.get("p")), [datatype, [2], [0.5, 3]]);
    }
  });

  it("keep all 64 bits of whole numbers", () => {
    const text = `{"outputs":[{"name":"p","datatype":"UINT64","shape":[1],"data":[18446744073709551615]}]}`;
    const p = readJsonAnswer(Buffer.from(text), undefined).get("p");
    assert.deepEqual(p && p.datatype !== "BYTES" && [...elements(p.datatype, p.bytes)], [2n ** 64n - 1n]);
  });

  it("are tensors that follow the JSON", () => {
    const text = json({
      outputs: [
        { name: "a", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } },
        { name: "b", datatype: "INT64", shape: [1], data: [7] },
        { name: "c", datatype: "BF16", shape: [1, 2], parameters: { binary_data_size: 4 } },
        { name: "d", datatype: "FP8E4M3", shape: [2], parameters: { binary_data_size: 2 } },
      ],
    });
    const tensors = Buffer.concat([
      ...[Buffer.from(Float32Array.from([1, 2]).buffer), Buffer.from([0x80, 0x3f, 0xc0, 0x7f, 9, 8])],
    ]);
    const outputs = readJsonAnswer(Buffer.concat([text, tensors]), String(text.length));
    assert.deepEqual(
      ["a", "b", "c", "d"].map((name) => told(outputs.get(name))),
      [
        ["FP32", [2], [1, 2]],
        ["INT64", [1], [7]],
        ["BF16", [1, 2], [1, Number.NaN]],
        ["FP8E4M3", [2, 1], [9, 8]],
      ],
    );
    for (const length of ["x", "-1", String(text.length + 100), String(text.length - 1)])
      assert.throws(() => readJsonAnswer(Buffer.concat([text, tensors]), length), length);
    assert.throws(() => readJsonAnswer(Buffer.concat([text, tensors, tensors]), String(text.length)), /left over/);
  });

  it("are the rows or columns of TensorFlow Serving's JSON, by the outputs' names and with their shapes", () => {
    const read = (text: string) => readJsonAnswer(Buffer.from(text), undefined);
    const rows = read(`{"predictions":[{"label":"cat","score":[0.5,NaN]},{"label":"dog","score":[1,2]}]}`);
    assert.deepEqual([...rows.keys()], [...["predictions.score", "predictions.label (text)", "predictions (lengths)"]]);
    assert.equal(rows.get("predictions.score")?.name, "score");
    assert.deepEqual(told(rows.get("predictions.score")), [undefined, [2, 2], [0.5, Number.NaN, 1, 2]]);
    assert.deepEqual(texts(rows.get("predictions.label (text)")), ["cat", "dog"]);
    const columns = read(`{"outputs":{"score":[[0.5,1],[1,2]],"label":["cat","dog"]}}`);
    assert.deepEqual(told(columns.get("outputs.score")), [undefined, [2, 2], [0.5, 1, 1, 2]]);
    const only = read(`{"predictions":[[0.5,1],[1,NaN]]}`).get("predictions");
    assert.deepEqual([only?.name, ...told(only)], [undefined, undefined, [2, 2], [0.5, 1, 1, Number.NaN]]);
    assert.deepEqual(told(read(`{"outputs":[[1],[2]]}`).get("outputs")), [undefined, [2, 1], [1, 2]]);
    const missing = read(`{"predictions":[[0.5,null],["NaN",1]]}`).get("predictions");
    assert.deepEqual(told(missing), [undefined, [2, 2], [0.5, Number.NaN, Number.NaN, 1]]);
  });

  it("tell lists of other lengths apart, though their numbers are the same", () => {
    const read = (text: string) => readJsonAnswer(Buffer.from(`{"results":${text}}`), undefined);
    const agree = (a: string, b: string) => {
      const compared = compare(read(a), read(b), new Map());
      return compared.kind === "compared" && compared.agrees;
    };
    assert.ok(agree("[[1,2],[3]]", "[[1,2],[3]]"));
    assert.ok(!agree("[[1,2],[3]]", "[[1],[2,3]]"));
    assert.ok(!agree(`[["cat",0.5],["dog",0.5]]`, `[["cat",0.5,"dog",0.5]]`));
    assert.ok(!agree(`[{"cat":0.5}]`, `[{"dog":0.5}]`));
  });

  it("are the fields of any other JSON, without what differs from answer to answer", () => {
    const outputs = readJsonAnswer(json({ id: "x", label: "cat", scores: { cat: 0.5, dog: [1, 2] } }), undefined);
    assert.deepEqual([...outputs.keys()], ["scores", "label (text)", "scores (text)", "scores (lengths)"]);
    assert.deepEqual(numbers(outputs.get("scores")), [0.5, 1, 2]);
    assert.deepEqual(texts(outputs.get("scores (text)")), ["cat", "dog"]);
    assert.deepEqual(told(readJsonAnswer(Buffer.from("[[0.5, NaN]]"), undefined).get("predictions")), [
      ...[undefined, [1, 2], [0.5, Number.NaN]],
    ]);
  });

  it("are those of a ModelInferResponse with typed contents, and of each message of a stream", async () => {
    const field = (tag: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
    const data = Buffer.from(Float32Array.from([1, 2]).buffer);
    const info = [field(10, Buffer.from("p")), field(18, Buffer.from("FP32")), field(26, Buffer.from([1, 2]))];
    const typed = field(42, Buffer.concat([...info, field(42, field(50, data))]));
    const expected = ["FP32", [1, 2], [1, 2]];
    assert.deepEqual(told(outputsOf(await grpc(INFER.target, typed)).get("p")), expected);
    const stream = outputsOf(
      await grpc("/inference.GRPCInferenceService/ModelStreamInfer", field(18, typed), field(18, typed)),
    );
    assert.deepEqual([...stream.keys()], ["p", "p of message 2"]);
    assert.deepEqual([stream.get("p of message 2")?.name, ...told(stream.get("p of message 2"))], ["p", ...expected]);
    const failing = await grpc("/inference.GRPCInferenceService/ModelStreamInfer", field(10, Buffer.from("no")));
    assert.deepEqual(failing, { unreadable: "its message 1 is an error" });
  });

  it("are classes, scores and values of TensorFlow Serving's other calls", async () => {
    const one = (write: (message: Pieces) => void): Pieces => {
      const message = pieces();
      write(message);
      return message;
    };
    const scored = (label: string, score: number) =>
      one((message) => {
        addText(message, 1, label);
        addFloat(message, 2, score);
      });
    const classes = one((result) =>
      addMessage(
        result,
        1,
        one((example) => {
          addMessage(example, 1, scored("cat", 0.25));
          addMessage(example, 1, scored("dog", Number.NaN));
        }),
      ),
    );
    const values = one((result) =>
      addMessage(
        result,
        1,
        one((example) => addFloat(example, 1, 2.5)),
      ),
    );
    const call = (name: string, message: Pieces) =>
      grpc(`/tensorflow.serving.PredictionService/${name}`, finish(one((all) => addMessage(all, 1, message))));
    const classified = outputsOf(await call("Classify", classes));
    assert.deepEqual(texts(classified.get("classes")), ["cat", "dog"]);
    assert.deepEqual(numbers(classified.get("scores")), [0.25, Number.NaN]);
    assert.deepEqual(numbers(outputsOf(await call("Regress", values)).get("values")), [2.5]);
    const both = await call(
      "MultiInference",
      one((result) => {
        addMessage(result, 2, classes);
        addMessage(result, 3, values);
      }),
    );
    assert.deepEqual(numbers(outputsOf(both).get("results[0].values")), [2.5]);
  });

  it("are BF16 of TensorFlow too, and of a type that is not known their bytes", async () => {
    const of = (dtype: number, value: Buffer) => {
      const [proto, shape, size, answer] = [pieces(), pieces(), pieces(), pieces()];
      addNumber(size, 1, 2);
      addMessage(shape, 2, size);
      addNumber(proto, 1, dtype);
      addMessage(proto, 2, shape);
      addBytes(proto, 4, value);
      addEntry(answer, 1, "y", proto);
      return grpc("/tensorflow.serving.PredictionService/Predict", finish(answer));
    };
    const y = outputsOf(await of(14, Buffer.from([0x80, 0x3f, 0, 0x40]))).get("y");
    assert.deepEqual(told(y), ["BF16", [2], [1, 2]]);
    const [same, other] = [outputsOf(await of(99, Buffer.from([1]))), outputsOf(await of(99, Buffer.from([2])))];
    assert.equal(compare(same, same, new Map()).kind, "compared");
    const compared = compare(same, other, new Map());
    assert.ok(compared.kind === "compared" && !compared.agrees);
  });

  it("tell whole numbers apart that are the same as doubles, wherever they stand", async () => {
    const documents: [(id: string) => string, string][] = [
      [(id) => `{"predictions":[${id},1]}`, "9007199254740993"],
      [(id) => `{"predictions":[[${id}],[1]]}`, "-9007199254740993"],
      [(id) => `{"predictions":[{"id":${id},"score":0.5},{"id":7,"score":0.25}]}`, "9007199254740993"],
      [(id) => `{"outputs":{"id":[${id}],"score":[0.5]}}`, "18446744073709551615"],
      [(id) => `{"outputs":[[${id}],[1,2]]}`, "9007199254740993"],
      [(id) => `{"outputs":[{"name":"id","datatype":"INT64","shape":[1],"data":[${id}]}]}`, "9007199254740993"],
    ];
    for (const [document, id] of documents) {
      const read = async (one: string) =>
        await readAnswer(HTTP, { head: head(), bytes: Buffer.from(document(one)) }, 1000);
      const [one, same, other] = [await read(id), await read(id), await read(`${BigInt(id) - 1n}`)];
      assert.equal(judge(one, same, new Map()).kind, "agrees", document(id));
      assert.equal(judge(one, other, new Map()).kind, "disagrees", document(id));
    }
    const mixed = (value: string) => ({
      head: head(),
      bytes: Buffer.from(`{"id2":9007199254740993,"p":[${value},null]}`),
    });
    const [one, other] = [
      await readAnswer(HTTP, mixed("1.5"), 1000),
      await readAnswer(HTTP, mixed("1.50000001"), 1000),
    ];
    assert.equal(judge(one, other, new Map()).kind, "agrees");
  });

  it("may come compressed, as far as they are not too large then", async () => {
    const body = json({ outputs: [{ name: "p", datatype: "FP32", shape: [2], data: [1, 2] }] });
    const as = (coding: string, bytes: Buffer, most = MOST) =>
      readAnswer(HTTP, { head: head(["content-encoding", coding]), bytes }, most);
    for (const [coding, bytes] of [
      ["gzip", gzipSync(body)],
      ["deflate", deflateSync(body)],
      ["br", brotliCompressSync(body)],
      ["zstd", zstdCompressSync(body)],
      ["identity", body],
    ] as const)
      assert.deepEqual(numbers(outputsOf(await as(coding, bytes)).get("p")), [1, 2], coding);
    assert.deepEqual(await as("compress", body), { unreadable: "it is encoded as compress" });
    assert.ok("unreadable" in (await as("gzip", gzipSync(Buffer.alloc(1000)), 100)));
    const answer = encoder.response({
      id: "",
      outputs: [["p", { datatype: "INT8", shape: [1], bytes: Buffer.of(7) }]],
    });
    const compressed = { head: head(["grpc-encoding", "gzip"]), bytes: prefixed(gzipSync(answer), 1) };
    assert.deepEqual(numbers(outputsOf(await readAnswer(INFER, compressed, MOST)).get("p")), [7]);
    assert.ok("unreadable" in (await readAnswer(INFER, { ...compressed, head: head() }, MOST)));
  });

  it("are none where there are none, or where the bytes do not fit", async () => {
    const output = { name: "p", datatype: "FP32", shape: [2], parameters: { binary_data_size: 7 } };
    assert.throws(() => readJsonAnswer(json({ outputs: [output] }), undefined), /output "p" has other bytes/);
    assert.throws(() => readJsonAnswer(Buffer.from("<html>"), undefined));
    const twice = { name: "p", datatype: "FP32", shape: [1], data: [1] };
    assert.throws(() => readJsonAnswer(json({ outputs: [twice, twice] }), undefined), /output "p" twice/);
    const unreadable = async (bytes: Buffer, of = INFER) => {
      const read = await readAnswer(of, { head: head(), bytes }, MOST);
      return "unreadable" in read ? read.unreadable : "readable";
    };
    assert.match(await unreadable(Buffer.from("x")), /not one or more whole messages/);
    assert.match(await unreadable(Buffer.alloc(0)), /0 messages/);
    assert.equal(await unreadable(prefixed(Buffer.alloc(0))), "it has no outputs");
    assert.equal(await unreadable(Buffer.from(`{"id":"1"}`), HTTP), "it has no outputs");
    assert.match(await unreadable(Buffer.from("<html>"), HTTP), /^it is not JSON/);
  });

  it("are as many as can be read without a pause that clients would feel", async () => {
    const list = (one: string, count: number) => `{"results":[${Array(count).fill(one).join()}]}`;
    const lists = list("[[1],[1,2]]", 1000);
    assert.ok(
      readJsonAnswer(Buffer.from(lists), undefined).size > 0,
      "ragged lists beyond those that are tried as tensors",
    );
    assert.throws(() => readJsonAnswer(Buffer.from(list("[[1],[1,2]]", 80_000)), undefined), /more than 262144 values/);
    const outputs = Buffer.alloc(10_000, Buffer.from([42, 0]));
    assert.deepEqual(await grpc(INFER.target, outputs), { unreadable: "it has more than 1024 outputs" });
  });

  it("are read or refused, whatever the bytes are", async () => {
    const targets = ["ModelInfer", "ModelStreamInfer"].map((name) => `/inference.GRPCInferenceService/${name}`);
    const others = ["Predict", "Classify", "Regress", "MultiInference"];
    const all = [...targets, ...others.map((name) => `/tensorflow.serving.PredictionService/${name}`)];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...all), fc.uint8Array({ maxLength: 60 }), async (target, bytes) => {
        const read = await grpc(target, Buffer.from(bytes));
        assert.ok("outputs" in read || read.unreadable.length > 0);
      }),
      { numRuns: 1000 },
    );
    await fc.assert(
      fc.asyncProperty(fc.json({ noUnicodeString: false }), async (text) => {
        const read = await readAnswer(HTTP, { head: head(), bytes: Buffer.from(text) }, MOST);
        assert.ok("outputs" in read || read.unreadable.length > 0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("requests that are worth a copy", () => {
  it("ask for an inference: a probe that both answer alike is no evidence", () => {
    assert.ok(isInference(INFER) && isInference(HTTP));
    for (const target of [
      "/inference.GRPCInferenceService/ServerReady",
      "/inference.GRPCInferenceService/ModelMetadata",
      "/grpc.health.v1.Health/Check",
      "/tensorflow.serving.PredictionService/GetModelMetadata",
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ])
      assert.ok(!isInference(message("grpc", target)), target);
    assert.ok(!isInference({ ...HTTP, method: "GET" }));
  });
});
