/** Valid requests for a model with the inputs "x" (FP32 [batch, 4]), "n" (INT64 [batch]) and "s" (BYTES [batch]). */
import { encodeStrings } from "../../../runtime/tensors/strings.ts";
import { field, varintField } from "./http2.ts";

export const INPUTS = {
  x: { type: "FP32", shape: ["batch", 4] },
  n: { type: "INT64", shape: ["batch"] },
  s: { type: "BYTES", shape: ["batch"] },
} as const;

const floats = Buffer.from(new Float32Array([1, 2.5, -3, 4]).buffer);
const long = Buffer.from(new BigInt64Array([7n]).buffer);
const strings = Buffer.from(encodeStrings(["hé"]));

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const x = { name: "x", shape: [1, 4], datatype: "FP32" };
const n = { name: "n", shape: [1], datatype: "INT64" };
const s = { name: "s", shape: [1], datatype: "BYTES" };

export const INFER_JSON = [
  json({
    inputs: [
      { ...x, data: [1, 2.5, -3e-2, 4] },
      { ...n, data: [7] },
      { ...s, data: ["hé"] },
    ],
  }),
  json({
    id: "1",
    parameters: { timeout: 1_000_000, priority: 1 },
    inputs: [
      { data: [[1, 2, 3, 4]], ...x },
      { data: [7], ...n },
      { data: ["a\n"], ...s },
    ],
    outputs: [
      { name: "x.out", parameters: { classification: 2 } },
      { name: "n.out", parameters: { binary_data: true } },
    ],
  }),
];

const envelope = json({
  inputs: [
    { ...x, parameters: { binary_data_size: floats.length } },
    { ...n, parameters: { binary_data_size: long.length } },
    { ...s, parameters: { binary_data_size: strings.length } },
  ],
  parameters: { binary_data_output: true },
});
export const BINARY_HEADER_LENGTH = envelope.length;
export const INFER_BINARY = Buffer.concat([envelope, floats, long, strings]);

export const PREDICT_JSON = [
  json({ instances: [{ x: [1, 2, 3, 4], n: 7, s: { b64: "aMOp" } }] }),
  json({ signature_name: "serving_default", inputs: { x: [[1, 2, 3, 4]], n: [7], s: ["a"] } }),
];
export const EXAMPLES_JSON = [
  json({ examples: [{ x: [1, 2, 3, 4], n: 7 }], context: { s: "a" } }),
  json({
    examples: [
      { x: [1, 2, 3, 4], n: 7, s: { b64: "aMOp" } },
      { x: [1, 2, 3, 4], n: 7, s: "b" },
    ],
  }),
];

const dims = (...sizes: number[]) => field(3, Uint8Array.from(sizes));
const parameter = (name: string, value: Uint8Array) => field(4, Buffer.concat([field(1, name), field(2, value)]));
const input = (name: string, datatype: string, shape: Buffer, more: Uint8Array = Buffer.alloc(0)) =>
  field(5, Buffer.concat([field(1, name), field(2, datatype), shape, more]));
export const INFER_GRPC = [
  Buffer.concat([
    field(1, "m"),
    field(3, "id"),
    parameter("timeout", varintField(2, 1_000_000)),
    input("x", "FP32", dims(1, 4)),
    input("n", "INT64", dims(1)),
    input("s", "BYTES", dims(1)),
    field(6, field(1, "x.out")),
    field(7, floats),
    field(7, long),
    field(7, strings),
  ]),
  Buffer.concat([
    field(1, "m"),
    input("x", "FP32", dims(1, 4), field(5, field(6, floats))),
    input("n", "INT64", dims(1), field(5, field(3, Uint8Array.of(7)))),
    input("s", "BYTES", dims(1), field(5, field(8, "hé"))),
  ]),
];

const spec = field(1, Buffer.concat([field(1, "m"), field(2, varintField(1, 1)), field(3, "serving_default")]));
const tensorProto = (name: string, type: number, sizes: number[], values: Uint8Array) => {
  const shape = field(2, Buffer.concat(sizes.map((size) => field(2, varintField(1, size)))));
  return field(2, Buffer.concat([field(1, name), field(2, Buffer.concat([varintField(1, type), shape, values]))]));
};
export const PREDICT_GRPC = [
  Buffer.concat([
    spec,
    tensorProto("x", 1, [1, 4], field(4, floats)),
    tensorProto("n", 9, [1], field(4, long)),
    tensorProto("s", 7, [1], field(8, "hé")),
    field(3, "x.out"),
  ]),
  Buffer.concat([
    spec,
    tensorProto("x", 1, [1, 4], field(5, floats)),
    tensorProto("n", 9, [1], varintField(10, -7n)),
    tensorProto("s", 7, [1], field(8, "")),
  ]),
];
const feature = (name: string, kind: number, list: Uint8Array) =>
  field(1, Buffer.concat([field(1, name), field(2, field(kind, list))]));
const example = field(
  1,
  Buffer.concat([
    feature("x", 2, field(1, floats)),
    feature("n", 3, field(1, Uint8Array.of(7))),
    feature("s", 1, field(1, "hé")),
  ]),
);
export const CLASSIFY_GRPC = [
  Buffer.concat([spec, field(2, field(1, Buffer.concat([field(1, example), field(1, example)])))]),
];
