/** Work that is a call: reading and writing messages, by our code and by the library that would take its place. */
import assert from "node:assert/strict";
import { z } from "zod";
import type { Model } from "../../../runtime/inference/index.ts";
import { writeFlat } from "../../../runtime/protocols/json/write.ts";
import { toCall } from "../../../runtime/protocols/open-inference/grpc/check.ts";
import { decodeRequest } from "../../../runtime/protocols/open-inference/grpc/request.ts";
import { createReader } from "../../../runtime/protocols/open-inference/inputs.ts";
import { bytesOf, type Tensor } from "../../../runtime/tensors/index.ts";
import { modelInfer } from "../../world/grpc.ts";

/** Both give the same; `check` throws where they do not. */
export type Pair = { name: string; ours(): unknown; library(): unknown; check(): void };

const modelOf = (count: number): Model => {
  const info = { name: "x", datatype: "FP32" as const, shape: [1, count], symbols: [] };
  return { name: "m", version: "1", inputs: [info], outputs: [info] };
};

const numbersOf = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i) * 10);

const request = z.object({ inputs: z.array(z.object({ data: z.array(z.number()) })).min(1) });
const firstOf = (body: string): Float32Array =>
  Float32Array.from(request.parse(JSON.parse(body)).inputs[0]?.data ?? []);

const jsonRead = (count: number): Pair => {
  const data = numbersOf(count);
  const body = Buffer.from(
    JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, count], data: Array.from(data) }] }),
  );
  const read = createReader(modelOf(count));
  const ours = () => read(body, undefined).inputs.get("x")?.bytes;
  const library = () => firstOf(body.toString());
  return {
    ...{ name: `JSON, ${count} floats are read`, ours, library },
    check: () => assert.deepEqual(Buffer.from(ours() ?? []), Buffer.from(library().buffer)),
  };
};

const jsonWrite = (count: number): Pair => {
  const data = numbersOf(count);
  const tensor: Tensor = { datatype: "FP32", shape: [count], bytes: bytesOf(data) };
  const ours = () => Buffer.concat(writeFlat(tensor).map((part) => Buffer.from(part)));
  const library = () => Buffer.from(JSON.stringify(Array.from(data)));
  return {
    ...{ name: `JSON, ${count} floats are written`, ours, library },
    // the library writes the digits of doubles: the same floats, in more text
    check: () => assert.deepEqual(Float32Array.from(JSON.parse(ours().toString())), data),
  };
};

const decoded = z.object({
  raw_input_contents: z.array(z.instanceof(Buffer)),
  inputs: z.array(z.object({ contents: z.object({ fp32_contents: z.array(z.number()) }).nullish() })).min(1),
});

const message = (count: number, typed: boolean): Pair => {
  const data = numbersOf(count);
  const bytes = Buffer.from(bytesOf(data));
  const method = modelInfer();
  const contents = typed ? { contents: { fp32_contents: Array.from(data) } } : {};
  const encoded = method.requestSerialize({
    model_name: "m",
    inputs: [{ name: "x", datatype: "FP32", shape: [1, count], ...contents }],
    raw_input_contents: typed ? [] : [bytes],
  });
  const model = modelOf(count);
  const ours = () => toCall(model, decodeRequest(encoded), 0, Number.POSITIVE_INFINITY).inputs.get("x")?.bytes;
  const library = () => {
    const { inputs, raw_input_contents: raw } = decoded.parse(method.requestDeserialize(encoded));
    return typed ? bytesOf(Float32Array.from(inputs[0]?.contents?.fp32_contents ?? [])) : raw[0];
  };
  return {
    ...{ name: `ModelInfer, ${count} floats as ${typed ? "typed" : "raw"} contents`, ours, library },
    check: () => assert.deepEqual(Buffer.from(ours() ?? []), Buffer.from(library() ?? [])),
  };
};

export const PAIRS: Readonly<Record<"json" | "codecs", readonly Pair[]>> = {
  json: [jsonRead(64), jsonRead(784), jsonRead(150_000), jsonWrite(64), jsonWrite(1000), jsonWrite(150_000)],
  codecs: [message(784, false), message(150_528, false), message(784, true), message(150_528, true)],
};
