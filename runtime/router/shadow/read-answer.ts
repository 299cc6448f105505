/** The outputs in an answer, in whichever of the served protocols it is, so that two of them can be compared. Pure. */
import { z } from "zod";
import { readContents } from "../../protocols/open-inference/grpc/contents.ts";
import {
  readBytes,
  readerOf,
  readInt64,
  readString,
  readTag,
  skipUnknown,
} from "../../protocols/open-inference/grpc/wire.ts";
import { bytesOf, DATATYPES, elementCount, isDatatype, type Tensor } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";

export type Outputs = ReadonlyMap<string, Tensor>;

/**
 * Outputs by name: tensors of the Open Inference Protocol as they are; of other JSON (TensorFlow Serving's, KServe V1's, a
 * server's own) each field of the first level, its numbers in the order in which they stand, as one vector. Fields that differ
 * from answer to answer though it says the same (ids, versions) are left out.
 *
 * @param jsonBytes the header `inference-header-content-length`, where tensors follow the JSON
 * @throws Error where it is none of these
 */
export const readJsonAnswer = (bytes: Buffer, jsonBytes: number | undefined): Outputs => {
  const parsed: unknown = JSON.parse(bytes.toString("utf8", 0, jsonBytes ?? bytes.length));
  const envelope = envelopeSchema.safeParse(parsed);
  if (envelope.success) return readTensors(envelope.data.outputs, bytes.subarray(jsonBytes ?? bytes.length));
  return readLeaves(z.record(z.string(), z.unknown()).parse(parsed));
};

const envelopeSchema = z.object({
  outputs: z.array(
    z.object({
      name: z.string(),
      datatype: z.string(),
      shape: z.array(z.int().min(0)),
      data: z.array(z.unknown()).optional(),
      parameters: z.object({ binary_data_size: z.int().min(0).optional() }).optional(),
    }),
  ),
});
type JsonOutput = z.infer<typeof envelopeSchema>["outputs"][number];

const readTensors = (outputs: readonly JsonOutput[], binary: Buffer): Outputs => {
  const tensors = new Map<string, Tensor>();
  let at = 0;
  for (const { data, datatype, name, parameters, shape } of outputs) {
    if (!isDatatype(datatype)) throw new Error(`output "${name}" is of the unknown type ${datatype.slice(0, 40)}`);
    const size = parameters?.binary_data_size;
    if (size !== undefined) {
      const whole = size === (elementCount(shape) ?? -1) * (datatype === "BYTES" ? 0 : DATATYPES[datatype].bytes);
      if (at + size > binary.length || (datatype !== "BYTES" && !whole))
        throw new Error(`output "${name}" has other bytes than its shape says`);
      tensors.set(name, { datatype, shape, bytes: binary.subarray(at, at + size) });
      at += size;
    } else tensors.set(name, fromJson(name, datatype, shape, (data ?? []).flat(Number.POSITIVE_INFINITY)));
  }
  return tensors;
};

/**
 * Numbers of JSON are compared as FP64, whatever they were: a bound on their difference needs no more. Whole numbers stay whole: that two
 * classes are close to each other is nothing.
 */
const fromJson = (name: string, datatype: string, shape: readonly number[], values: readonly unknown[]): Tensor => {
  if (values.length !== elementCount(shape)) throw new Error(`output "${name}" has ${values.length} elements`);
  if (datatype === "BYTES") return { datatype: "BYTES", shape, bytes: encodeStrings(values.map(String)) };
  if (/^(BOOL|U?INT\d+)$/.test(datatype))
    return { datatype: "INT64", shape, bytes: bytesOf(BigInt64Array.from(values, wholeOf)) };
  return { datatype: "FP64", shape, bytes: bytesOf(Float64Array.from(values, numberOf)) };
};

/** NaN and infinities have no JSON of their own; servers write null or a string. */
const numberOf = (value: unknown): number =>
  typeof value === "boolean" ? Number(value) : typeof value === "number" ? value : Number.parseFloat(String(value));

const wholeOf = (value: unknown): bigint => {
  const number = numberOf(value);
  return BigInt(Number.isFinite(number) ? Math.trunc(number) : 0);
};

/** Ids, versions and times: they say nothing of the model's answer. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  "id",
  "model_name",
  "model_version",
  "model_spec",
  "parameters",
  "created",
]);

const readLeaves = (answer: Readonly<Record<string, unknown>>): Outputs => {
  const tensors = new Map<string, Tensor>();
  for (const [name, value] of Object.entries(answer)) {
    if (NOT_COMPARED.has(name)) continue;
    const numbers: number[] = [];
    const texts: string[] = [];
    collect(value, numbers, texts, 0);
    if (numbers.length > 0)
      tensors.set(name, { datatype: "FP64", shape: [numbers.length], bytes: bytesOf(Float64Array.from(numbers)) });
    if (texts.length > 0)
      tensors.set(`${name} (text)`, { datatype: "BYTES", shape: [texts.length], bytes: encodeStrings(texts) });
  }
  return tensors;
};

const MOST_DEPTH = 32;

/** Keys are text, too: two answers with other classes do not say the same. */
const collect = (value: unknown, numbers: number[], texts: string[], depth: number): void => {
  if (depth > MOST_DEPTH) throw new Error("it is nested too deeply");
  if (typeof value === "number") numbers.push(value);
  else if (typeof value === "boolean" || value === null) texts.push(String(value));
  else if (typeof value === "string") texts.push(value);
  else if (Array.isArray(value)) for (const one of value) collect(one, numbers, texts, depth + 1);
  else if (typeof value === "object") {
    for (const [key, one] of Object.entries(value)) {
      texts.push(key);
      collect(one, numbers, texts, depth + 1);
    }
  }
};

const PREFIX_BYTES = 5;
// Fields of ModelInferResponse and of its InferOutputTensor, as tags: number × 8 + wire type.
const OUTPUTS = 42;
const RAW = 50;
const NAME = 10;
const DATATYPE = 18;
const SHAPE_PACKED = 26;
const SHAPE = 24;
const CONTENTS = 42;

/**
 * @param bytes a whole answer of a unary call: its one message, with gRPC's prefix
 * @throws Error where it is no ModelInferResponse
 */
export const readGrpcAnswer = (bytes: Buffer): Outputs => {
  if (bytes.length < PREFIX_BYTES || bytes[0] !== 0 || bytes.readUInt32BE(1) !== bytes.length - PREFIX_BYTES)
    throw new Error("it is not one message without compression");
  const reader = readerOf(bytes.subarray(PREFIX_BYTES));
  const outputs: GrpcOutput[] = [];
  const raw: Buffer[] = [];
  while (reader.at < reader.end) {
    const tag = readTag(reader);
    if (tag === OUTPUTS) outputs.push(readOutput(readBytes(reader)));
    else if (tag === RAW) raw.push(readBytes(reader));
    else skipUnknown(reader, tag, 0);
  }
  return new Map(outputs.map((output, i) => [output.name, tensorOf(output, raw[i])]));
};

type GrpcOutput = { name: string; datatype: string; shape: number[]; contents: Buffer[] };

const readOutput = (bytes: Buffer): GrpcOutput => {
  const reader = readerOf(bytes);
  const output: GrpcOutput = { name: "", datatype: "", shape: [], contents: [] };
  while (reader.at < reader.end) {
    const tag = readTag(reader);
    if (tag === NAME) output.name = readString(reader);
    else if (tag === DATATYPE) output.datatype = readString(reader);
    else if (tag === SHAPE) output.shape.push(readInt64(reader));
    else if (tag === SHAPE_PACKED) {
      const packed = readerOf(readBytes(reader));
      while (packed.at < packed.end) output.shape.push(readInt64(packed));
    } else if (tag === CONTENTS) output.contents.push(readBytes(reader));
    else skipUnknown(reader, tag, 0);
  }
  return output;
};

const tensorOf = ({ contents, datatype, name, shape }: GrpcOutput, raw: Buffer | undefined): Tensor => {
  if (!isDatatype(datatype)) throw new Error(`output "${name}" is of the unknown type "${datatype.slice(0, 40)}"`);
  const count = elementCount(shape) ?? 0;
  const bytes = raw ?? readContents(name, datatype, contents, count);
  if (datatype !== "BYTES" && bytes.length !== count * DATATYPES[datatype].bytes)
    throw new Error(`output "${name}" has other bytes than its shape says`);
  return { datatype, shape, bytes };
};
