/** ModelInferRequest, decoded by hand: raw contents stay slices of the message, typed contents are read in `contents.ts`. */
import { RequestError } from "../../../errors/request-error.ts";
import {
  DELIMITED,
  FIXED64,
  malformed,
  type Reader,
  readBytes,
  readerOf,
  readInt64,
  readLength,
  readString,
  readTag,
  readVarint,
  skip,
  skipUnknown,
  tagOf,
  VARINT,
} from "./wire.ts";

export type Parameter = string | number | bigint | boolean | undefined;
export type Parameters = ReadonlyMap<string, Parameter>;

export type RequestInput = {
  name: string;
  datatype: string;
  shape: number[];
  parameters: Parameters;
  /** InferTensorContents as it stands in the message; several are one after the other. Undefined where there is none. */
  contents: Buffer[] | undefined;
};

export type InferRequest = {
  modelName: string;
  modelVersion: string;
  id: string;
  parameters: Parameters;
  inputs: RequestInput[];
  outputs: { name: string; parameters: Parameters }[];
  /** Slices of the message. */
  raw: Buffer[];
};

/** Each costs an object of its own, of many times the two bytes that an empty one takes in the message. */
const MAX_TENSORS = 1024;
const MAX_DIMENSIONS = 64;
const MAX_PARAMETERS = 256;
const NO_PARAMETERS: Parameters = new Map();

/** Throws InvalidArgument where the bytes are no ModelInferRequest. Unknown fields are skipped. */
export const decodeRequest = (bytes: Buffer): InferRequest => {
  const reader = readerOf(bytes);
  const request = {
    modelName: "",
    modelVersion: "",
    id: "",
    parameters: NO_PARAMETERS,
    inputs: [] as RequestInput[],
    outputs: [] as InferRequest["outputs"],
    raw: [] as Buffer[],
  };
  while (reader.at < reader.end) {
    const tag = readTag(reader);
    if (tag === tagOf(5, DELIMITED)) within(reader, () => bounded(request.inputs, "inputs").push(readInput(reader)));
    else if (tag === tagOf(7, DELIMITED)) bounded(request.raw, "raw_input_contents").push(readBytes(reader));
    else if (tag === tagOf(1, DELIMITED)) request.modelName = readString(reader);
    else if (tag === tagOf(2, DELIMITED)) request.modelVersion = readString(reader);
    else if (tag === tagOf(3, DELIMITED)) request.id = readString(reader);
    else if (tag === tagOf(4, DELIMITED)) request.parameters = readParameter(reader, request.parameters);
    else if (tag === tagOf(6, DELIMITED))
      within(reader, () => bounded(request.outputs, "outputs").push(readOutput(reader)));
    else skipUnknown(reader, tag, 7);
  }
  return request;
};

/** Of the fields of the message itself, where the first inputs are: clients write the id and the parameters before them. */
const MOST_PEEKED = 64;
/** Of an id or a parameter. */
const MOST_PEEKED_BYTES = 4096;

/** The id and the parameters, as far as they are short and stand in front: of a message that may be no request at all. */
export const peekRequest = (bytes: Buffer): Pick<InferRequest, "id" | "parameters"> => {
  const reader = readerOf(bytes);
  const found = { id: "", parameters: NO_PARAMETERS };
  try {
    for (let fields = 0; fields < MOST_PEEKED && reader.at < reader.end; fields++) {
      const tag = readTag(reader);
      const from = reader.at;
      skip(reader, tag & 7);
      if (reader.at - from > MOST_PEEKED_BYTES) continue;
      const field: Reader = { bytes, at: from, end: reader.at, high: 0 };
      if (tag === tagOf(3, DELIMITED)) found.id = readString(field);
      else if (tag === tagOf(4, DELIMITED)) found.parameters = readParameter(field, found.parameters);
    }
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
  }
  return found;
};

/** Reads a message inside of the message: `reader.end` is its end meanwhile. */
const within = (reader: Reader, read: () => void): void => {
  const length = readLength(reader);
  const { end } = reader;
  reader.end = reader.at + length;
  read();
  reader.end = end;
};

const bounded = <T>(list: T[], what: string): T[] => {
  if (list.length === MAX_TENSORS) throw malformed(`there are more than ${MAX_TENSORS} ${what}`);
  return list;
};

const readInput = (reader: Reader): RequestInput => {
  const input: RequestInput = { name: "", datatype: "", shape: [], parameters: NO_PARAMETERS, contents: undefined };
  while (reader.at < reader.end) {
    const tag = readTag(reader);
    if (tag === tagOf(1, DELIMITED)) input.name = readString(reader);
    else if (tag === tagOf(2, DELIMITED)) input.datatype = readString(reader);
    else if (tag === tagOf(3, VARINT)) addDimension(input.shape, reader);
    else if (tag === tagOf(3, DELIMITED)) {
      within(reader, () => {
        while (reader.at < reader.end) addDimension(input.shape, reader);
      });
    } else if (tag === tagOf(4, DELIMITED)) input.parameters = readParameter(reader, input.parameters);
    else if (tag === tagOf(5, DELIMITED)) {
      input.contents ??= [];
      bounded(input.contents, "contents").push(readBytes(reader));
    } else skipUnknown(reader, tag, 5);
  }
  return input;
};

const addDimension = (shape: number[], reader: Reader): void => {
  if (shape.length === MAX_DIMENSIONS) throw malformed(`a shape has more than ${MAX_DIMENSIONS} dimensions`);
  shape.push(readInt64(reader));
};

const readOutput = (reader: Reader): { name: string; parameters: Parameters } => {
  const output = { name: "", parameters: NO_PARAMETERS };
  while (reader.at < reader.end) {
    const tag = readTag(reader);
    if (tag === tagOf(1, DELIMITED)) output.name = readString(reader);
    else if (tag === tagOf(2, DELIMITED)) output.parameters = readParameter(reader, output.parameters);
    else skipUnknown(reader, tag, 2);
  }
  return output;
};

/** One entry of a map; the last of a name counts, as everywhere in protobuf. */
const readParameter = (reader: Reader, parameters: Parameters): Parameters => {
  const all = parameters instanceof Map && parameters !== NO_PARAMETERS ? parameters : new Map<string, Parameter>();
  let name = "";
  let value: Parameter;
  within(reader, () => {
    while (reader.at < reader.end) {
      const tag = readTag(reader);
      if (tag === tagOf(1, DELIMITED)) name = readString(reader);
      else if (tag === tagOf(2, DELIMITED)) within(reader, () => (value = readValue(reader, value)));
      else skipUnknown(reader, tag, 2);
    }
  });
  all.set(name, value);
  if (all.size > MAX_PARAMETERS) throw malformed(`there are more than ${MAX_PARAMETERS} parameters`);
  return all;
};

const readValue = (reader: Reader, before: Parameter): Parameter => {
  let value = before;
  while (reader.at < reader.end) {
    const tag = readTag(reader);
    if (tag === tagOf(1, VARINT)) value = (readVarint(reader) | reader.high) !== 0;
    else if (tag === tagOf(2, VARINT)) value = BigInt.asIntN(64, readBig(reader));
    else if (tag === tagOf(3, DELIMITED)) value = readString(reader);
    else if (tag === tagOf(4, FIXED64)) {
      if (reader.end - reader.at < 8) throw malformed("it ends within a number");
      value = reader.bytes.readDoubleLE(reader.at);
      reader.at += 8;
    } else if (tag === tagOf(5, VARINT)) value = readBig(reader);
    else skipUnknown(reader, tag, 5);
  }
  return value;
};

const readBig = (reader: Reader): bigint => {
  const low = readVarint(reader);
  return (BigInt(reader.high) << 32n) | BigInt(low);
};
