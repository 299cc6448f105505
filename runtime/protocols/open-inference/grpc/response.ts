/** ModelInferResponse and ModelStreamInferResponse, encoded by hand: outputs are copied once, into the message. */
import type { Model } from "../../../inference/index.ts";
import type { Tensor } from "../../../tensors/index.ts";
import { DELIMITED, tagOf, VARINT } from "./wire.ts";

export type Outputs = readonly (readonly [name: string, tensor: Tensor])[];
export type InferResponse = { id: string; outputs: Outputs };
export type StreamResponse = {
  /** Empty where the request did not fail. */
  error: string;
  response: InferResponse;
  /** Whether the parameter triton_final_response is set, as clients ask for. */
  final: boolean;
};

/** What answers of one model have in common is encoded once. */
export type Encoder = {
  response(response: InferResponse): Buffer;
  streamResponse(response: StreamResponse): Buffer;
};

export const createEncoder = (model: Model): Encoder => {
  const names = Buffer.concat([text(1, model.name), text(2, model.version)]);
  // parameters {"triton_final_response": {bool_param: true}}
  const parameter = Buffer.concat([text(1, "triton_final_response"), delimited(2, Buffer.from([tagOf(1, VARINT), 1]))]);
  const final = delimited(4, parameter);
  const heads = new Map(model.outputs.map(({ name, datatype }) => [name, { datatype, bytes: headOf(name, datatype) }]));
  /** What is classified has another type than the model's. */
  const headFor = (name: string, datatype: string): Buffer => {
    const known = heads.get(name);
    return known?.datatype === datatype ? known.bytes : headOf(name, datatype);
  };

  /** The first `before` bytes are left as they are. */
  const encode = ({ id, outputs }: InferResponse, isFinal: boolean, before: number): Buffer => {
    let most = before + names.length + final.length + MAX_HEADER + id.length * 3;
    for (const [name, { datatype, shape, bytes }] of outputs) {
      most += 3 * MAX_HEADER + headFor(name, datatype).length + shape.length * MAX_VARINT + bytes.length;
    }
    const buffer = Buffer.allocUnsafe(most);
    buffer.set(names, before);
    let at = before + names.length;
    if (id !== "") {
      at = writeHeader(buffer, at, 3, Buffer.byteLength(id));
      at += buffer.write(id, at);
    }
    if (isFinal) {
      buffer.set(final, at);
      at += final.length;
    }
    for (const [name, { datatype, shape }] of outputs) {
      const head = headFor(name, datatype);
      let dimensions = 0;
      for (const dimension of shape) dimensions += varintLength(dimension);
      at = writeHeader(buffer, at, 5, head.length + 1 + varintLength(dimensions) + dimensions);
      buffer.set(head, at);
      at = writeHeader(buffer, at + head.length, 3, dimensions);
      for (const dimension of shape) at = writeVarint(buffer, at, dimension);
    }
    for (const [, { bytes }] of outputs) {
      at = writeHeader(buffer, at, 6, bytes.length);
      buffer.set(bytes, at);
      at += bytes.length;
    }
    return buffer.subarray(0, at);
  };

  return {
    response: (response) => encode(response, false, 0),
    streamResponse: ({ error, response, final: isFinal }) => {
      const told = error === "" ? NONE : text(1, error);
      const before = told.length + MAX_HEADER;
      const whole = encode(response, isFinal, before);
      const header = Buffer.alloc(MAX_HEADER);
      const length = writeHeader(header, 0, 2, whole.length - before);
      const from = MAX_HEADER - length;
      whole.set(told, from);
      whole.set(header.subarray(0, length), from + told.length);
      return whole.subarray(from);
    },
  };
};

const NONE = Buffer.alloc(0);
/** Bytes of the longest number (of 63 bits or less), and of a field's number with its length. */
const MAX_VARINT = 10;
const MAX_HEADER = 1 + MAX_VARINT;

const varintLength = (value: number): number => {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
};

const writeVarint = (buffer: Buffer, from: number, value: number): number => {
  let at = from;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest % 0x80) | 0x80;
  buffer[at++] = rest;
  return at;
};

const writeHeader = (buffer: Buffer, at: number, field: number, length: number): number => {
  buffer[at] = tagOf(field, DELIMITED);
  return writeVarint(buffer, at + 1, length);
};

const delimited = (field: number, bytes: Buffer): Buffer => {
  const header = Buffer.alloc(MAX_HEADER);
  return Buffer.concat([header.subarray(0, writeHeader(header, 0, field, bytes.length)), bytes]);
};

const text = (field: number, value: string): Buffer => delimited(field, Buffer.from(value));

/** The part of an output's description that is the same in each answer. */
const headOf = (name: string, datatype: string): Buffer => Buffer.concat([text(1, name), text(2, datatype)]);
