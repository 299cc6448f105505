import { readSync } from "node:fs";

// Which messages of onnx.proto3 can hold tensors, by field number. Fields that are not named here are skipped unread.
const FIELDS = {
  Model: { 7: "Graph", 20: "Training", 25: "Function" },
  Training: { 1: "Graph", 2: "Graph" },
  Graph: { 1: "Node", 5: "Tensor", 15: "SparseTensor" },
  Function: { 7: "Node", 11: "Attribute" },
  Node: { 5: "Attribute" },
  Attribute: { 5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor" },
  SparseTensor: { 1: "Tensor", 2: "Tensor" },
  Tensor: {},
} as const satisfies Record<string, Record<number, string>>;
type Message = keyof typeof FIELDS;

const isMessage = (name: string | undefined): name is Message => name !== undefined && Object.hasOwn(FIELDS, name);

// Fields of TensorProto
const NAME = 8;
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;

const WINDOW_BYTES = 64 * 1024;
/** Graphs within graphs; protobuf's own parser stops at 100 messages. */
const MAX_DEPTH = 100;

/** The bytes are not a protobuf message. `at` is where that shows. */
export class MalformedProtobuf extends Error {
  readonly at: number;
  constructor(at: number, reason: string) {
    super(`${reason} at byte ${at}`);
    this.at = at;
  }
}

/**
 * The name of the first tensor of an ONNX file of `size` bytes whose data are in another file; undefined if there is none.
 * Walks over the open file's messages with a window of 64 KiB, so that the memory does not depend on the model's size.
 * Throws MalformedProtobuf.
 */
export const findExternalTensor = (file: number, size: number): string | undefined => {
  const window = Buffer.alloc(WINDOW_BYTES);
  let from = 0;
  let to = 0;
  let at = 0;

  const byte = (): number => {
    if (at < from || at >= to) {
      from = at;
      to = at + readSync(file, window, 0, WINDOW_BYTES, at);
      if (to <= at) throw new MalformedProtobuf(at, "the file ends too early");
    }
    return window[at++ - from] ?? 0;
  };
  const varint = (end: number): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) throw new MalformedProtobuf(at, "a number is cut off");
      const next = byte();
      value += (next & 0x7f) * 2 ** shift;
      if (next < 0x80) return value;
    }
    throw new MalformedProtobuf(at, "a number is too long");
  };
  const text = (end: number): string => {
    const bytes = Buffer.alloc(Math.min(end - at, 253));
    for (let i = 0; i < bytes.length; i++) bytes[i] = byte();
    return bytes.toString("utf8");
  };

  const walk = (message: Message, end: number, depth: number): string | undefined => {
    if (depth > MAX_DEPTH) throw new MalformedProtobuf(at, `more than ${MAX_DEPTH} messages within each other`);
    const nested: Readonly<Record<number, string>> = FIELDS[message];
    let name = "";
    let external = false;
    while (at < end) {
      const key = varint(end);
      const [field, wire] = [Math.floor(key / 8), key % 8];
      if (field === 0) throw new MalformedProtobuf(at, "a field has the number 0");
      if (wire === 0) {
        const value = varint(end);
        external ||= message === "Tensor" && field === DATA_LOCATION && value !== 0;
        continue;
      }
      // 1: eight bytes, 5: four, 2: as many as are said; the groups of old protobuf (3, 4) are in no ONNX model
      const length = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? varint(end) : undefined;
      if (length === undefined) throw new MalformedProtobuf(at, `a field has the unknown wire type ${wire}`);
      const next = at + length;
      if (next > end) throw new MalformedProtobuf(at, "a field is longer than what holds it");
      const inner = nested[field];
      if (wire === 2 && message === "Tensor") {
        external ||= field === EXTERNAL_DATA;
        if (field === NAME) name = text(next);
      } else if (wire === 2 && isMessage(inner)) {
        const found = walk(inner, next, depth + 1);
        if (found !== undefined) return found;
      }
      at = next;
    }
    return external ? name : undefined;
  };
  return walk("Model", size, 1);
};
