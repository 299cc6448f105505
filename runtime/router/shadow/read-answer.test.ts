import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { elements, floats, type Tensor } from "../../tensors/index.ts";
import { splitStrings } from "../../tensors/strings.ts";
import { readGrpcAnswer, readJsonAnswer } from "./read-answer.ts";

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const numbers = (tensor: Tensor | undefined): number[] => {
  if (tensor === undefined || tensor.datatype === "BYTES") return [];
  return Array.from(floats(tensor) ?? elements(tensor.datatype, tensor.bytes), Number);
};
const texts = ({ bytes, shape }: Tensor): string[] =>
  (splitStrings(bytes, shape[0] ?? 0) ?? []).map((one) => Buffer.from(one).toString());

describe("outputs of an answer", () => {
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
      assert.deepEqual(
        [numbers(outputs.get("p")), outputs.get("p")?.shape],
        [
          [1, 2, 3, 4],
          [2, 2],
        ],
      );
    }
  });

  it("are tensors that follow the JSON", () => {
    const head = json({
      outputs: [
        { name: "a", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } },
        { name: "b", datatype: "INT64", shape: [1], data: [7] },
        { name: "c", datatype: "FP32", shape: [1], parameters: { binary_data_size: 4 } },
      ],
    });
    const tensors = Buffer.from(Float32Array.from([1, 2, 3]).buffer);
    const outputs = readJsonAnswer(Buffer.concat([head, tensors]), head.length);
    assert.deepEqual(
      ["a", "b", "c"].map((name) => numbers(outputs.get(name))),
      [[1, 2], [7], [3]],
    );
  });

  it("are the fields of any other JSON, without what differs from answer to answer", () => {
    const outputs = readJsonAnswer(
      json({
        id: "x",
        predictions: [
          { score: 0.5, label: "cat" },
          { score: 1, label: "dog" },
        ],
      }),
      undefined,
    );
    assert.deepEqual([...outputs.keys()], ["predictions", "predictions (text)"]);
    assert.deepEqual(numbers(outputs.get("predictions")), [0.5, 1]);
    const text = outputs.get("predictions (text)");
    assert.deepEqual(text && texts(text), ["score", "label", "cat", "score", "label", "dog"]);
  });

  it("are those of a ModelInferResponse, raw or typed", () => {
    const field = (tag: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
    const data = Buffer.from(Float32Array.from([1, 2]).buffer);
    const info = [field(10, Buffer.from("p")), field(18, Buffer.from("FP32")), field(26, Buffer.from([1, 2]))];
    const prefixed = (message: Buffer): Buffer => {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      return Buffer.concat([prefix, message]);
    };
    const raw = prefixed(Buffer.concat([field(10, Buffer.from("m")), field(42, Buffer.concat(info)), field(50, data)]));
    const typed = prefixed(field(42, Buffer.concat([...info, field(42, field(50, data))])));
    for (const bytes of [raw, typed]) {
      const outputs = readGrpcAnswer(bytes);
      assert.deepEqual(
        [numbers(outputs.get("p")), outputs.get("p")?.shape],
        [
          [1, 2],
          [1, 2],
        ],
      );
    }
  });

  it("are none where the bytes do not fit", () => {
    const output = { name: "p", datatype: "FP32", shape: [2], parameters: { binary_data_size: 7 } };
    assert.throws(() => readJsonAnswer(json({ outputs: [output] }), undefined), /output "p" has other bytes/);
    assert.throws(() => readJsonAnswer(Buffer.from("<html>"), undefined));
    assert.throws(() => readGrpcAnswer(Buffer.from("x")), /not one message/);
  });
});
