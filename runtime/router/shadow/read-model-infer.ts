/** The tensors of gRPC's ModelInferResponse and ModelStreamInferResponse. Pure. */
import { readContents } from "../../protocols/open-inference/grpc/contents.ts";
import {
  readBytes,
  readerOf,
  readInt64,
  readString,
  readTag,
  skipUnknown,
} from "../../protocols/open-inference/grpc/wire.ts";
import { elementCount, isDatatype, type Tensor } from "../../tensors/index.ts";
import { tensorOfBytes } from "./binary.ts";
import { addOutput, MOST_OUTPUTS, type Output, type Outputs } from "./outputs.ts";

// Fields of ModelInferResponse and of its InferOutputTensor, as tags: number × 8 + wire type.
const OUTPUTS = 42;
const RAW = 50;
const NAME = 10;
const DATATYPE = 18;
const SHAPE_PACKED = 26;
const SHAPE = 24;
const CONTENTS = 42;
// Fields of ModelStreamInferResponse.
const ERROR = 10;
const RESPONSE = 18;

export const readModelInfer = (messages: readonly Buffer[]): Outputs => {
  const outputs = new Map<string, Output>();
  messages.forEach((message, index) => {
    readResponse(outputs, message, index);
  });
  return outputs;
};

/** @throws Error where a message tells of a failure */
export const readModelStreamInfer = (messages: readonly Buffer[]): Outputs => {
  const outputs = new Map<string, Output>();
  messages.forEach((message, index) => {
    const reader = readerOf(message);
    while (reader.at < reader.end) {
      const tag = readTag(reader);
      if (tag === RESPONSE) readResponse(outputs, readBytes(reader), index);
      else if (tag === ERROR) {
        const error = readString(reader);
        if (error !== "") throw new Error(`its message ${index + 1} is an error`);
      } else skipUnknown(reader, tag, 0);
    }
  });
  return outputs;
};

/** The outputs of a later message of the same call have its number in their place. */
const readResponse = (outputs: Map<string, Output>, message: Buffer, index: number): void => {
  const reader = readerOf(message);
  const found: Described[] = [];
  const raw: Buffer[] = [];
  while (reader.at < reader.end) {
    const tag = readTag(reader);
    if (found.length > MOST_OUTPUTS || raw.length > MOST_OUTPUTS)
      throw new Error(`it has more than ${MOST_OUTPUTS} outputs`);
    if (tag === OUTPUTS) found.push(readOutput(readBytes(reader)));
    else if (tag === RAW) raw.push(readBytes(reader));
    else skipUnknown(reader, tag, 0);
  }
  if (raw.length > 0 && raw.length !== found.length)
    throw new Error(`it has ${found.length} outputs and ${raw.length} raw_output_contents`);
  found.forEach((output, i) => {
    const { datatype: declared, name } = output;
    const place = index === 0 ? name : `${name} of message ${index + 1}`;
    addOutput(outputs, place, { ...tensorOf(output, raw[i]), name, declared });
  });
};

type Described = { name: string; datatype: string; shape: number[]; contents: Buffer[] };

const readOutput = (bytes: Buffer): Described => {
  const reader = readerOf(bytes);
  const output: Described = { name: "", datatype: "", shape: [], contents: [] };
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

const tensorOf = ({ contents, datatype, name, shape }: Described, raw: Buffer | undefined): Tensor => {
  if (raw !== undefined) return tensorOfBytes(name, datatype, shape, raw);
  if (!isDatatype(datatype)) throw new Error(`output "${name}" is of the unknown type "${datatype.slice(0, 40)}"`);
  return tensorOfBytes(name, datatype, shape, readContents(name, datatype, contents, elementCount(shape) ?? 0));
};
