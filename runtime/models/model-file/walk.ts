import { type Field, MalformedModel, type Reader } from "./reader.ts";

/** A node of the graph, of a graph within it, or of a function of the model. */
export type ModelNode = { name: string; operator: string; domain: string };

/** A tensor whose data are in another file. */
export type ExternalTensor = {
  name: string;
  /** As the model says it: what is missing is undefined, what is there twice is refused before. */
  entries: ReadonlyMap<string, string>;
  dataType: number;
  /** The number of elements; not a safe integer where it overflows or a dimension is negative. */
  elements: number;
};

export type Visitor = {
  node(node: ModelNode): void;
  externalTensor(tensor: ExternalTensor): void;
  /** A function that the model brings along: an operator of its own. */
  localFunction(domain: string, name: string): void;
};

// The messages of onnx.proto3 that can hold nodes or tensors, by field number. A field that is not here is skipped unread.
const CHILDREN = {
  Model: { 7: "Graph", 20: "Training", 25: "Function" },
  Training: { 1: "Graph", 2: "Graph" },
  Graph: { 1: "Node", 5: "Tensor", 15: "SparseTensor" },
  Function: { 7: "Node", 11: "Attribute" },
  Node: { 5: "Attribute" },
  Attribute: { 5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor" },
  SparseTensor: { 1: "Tensor", 2: "Tensor" },
  Tensor: {},
} as const satisfies Record<string, Record<number, string>>;
type Message = keyof typeof CHILDREN;

// Of these a message has one. Protobuf would merge a second into the first, and nobody could check the parts alone.
const SINGLE: Readonly<Partial<Record<Message, readonly number[]>>> = {
  Model: [7],
  Training: [1, 2],
  Attribute: [5, 6, 22],
  SparseTensor: [1, 2],
};

/** Graphs within graphs; protobuf's own parser stops at 100 messages. */
const MAX_DEPTH = 100;
/** Of domains, operators and paths: longer than any that is in use. */
const MAX_TEXT = 4096;
/** Names are only shown. */
const SHOWN = 253;

const isMessage = (name: string | undefined): name is Message => name !== undefined && Object.hasOwn(CHILDREN, name);

/** Shows a visitor all nodes, functions and external tensors of a model. Throws MalformedModel, and what the visitor throws. */
export const walkModel = (reader: Reader, visitor: Visitor): void => walk(reader, visitor, "Model", reader.size, 1);

const walk = (reader: Reader, visitor: Visitor, message: Message, end: number, depth: number): void => {
  if (depth > MAX_DEPTH)
    throw new MalformedModel(reader.position(), `more than ${MAX_DEPTH} messages within each other`);
  if (message === "Tensor") {
    walkTensor(reader, visitor, end);
    return;
  }
  const children: Readonly<Record<number, string>> = CHILDREN[message];
  const single = SINGLE[message];
  let seen: number[] | undefined;
  let name = "";
  let operator = "";
  let domain = "";
  while (reader.position() < end) {
    const field = reader.field(end);
    const child = children[field.number];
    if (field.wire === "bytes" && isMessage(child)) {
      if (single?.includes(field.number)) {
        if (seen?.includes(field.number))
          throw new MalformedModel(field.at, `${message} has field ${field.number} twice`);
        seen = [...(seen ?? []), field.number];
      }
      walk(reader, visitor, child, field.end, depth + 1);
    } else if (message === "Node") {
      if (field.number === 3) name = shown(reader, field);
      else if (field.number === 4) operator = whole(reader, field);
      else if (field.number === 7) domain = whole(reader, field);
    } else if (message === "Function") {
      if (field.number === 1) name = whole(reader, field);
      else if (field.number === 10) domain = whole(reader, field);
    }
    reader.seek(field.end);
  }
  if (message === "Node") visitor.node({ name, operator, domain });
  if (message === "Function") visitor.localFunction(domain, name);
};

const walkTensor = (reader: Reader, visitor: Visitor, end: number): void => {
  let name = "";
  let external = false;
  let dataType = 0;
  let elements = 1;
  let entries: Map<string, string> | undefined;
  while (reader.position() < end) {
    const field = reader.field(end);
    switch (field.number) {
      case 1: // dims, packed or one by one
        if (field.wire === "varint") elements *= field.value;
        else if (field.wire === "bytes") while (reader.position() < field.end) elements *= reader.varint(field.end);
        break;
      case 2:
        dataType = field.value;
        break;
      case 8:
        name = shown(reader, field);
        break;
      case 13: {
        const [key, value] = entry(reader, field);
        entries ??= new Map();
        if (entries.has(key)) throw new MalformedModel(field.at, `the external data of a tensor have "${key}" twice`);
        entries.set(key, value);
        break;
      }
      case 14: // data_location: 0 is here
        external ||= field.value !== 0;
        break;
    }
    reader.seek(field.end);
  }
  if (external || entries !== undefined) {
    visitor.externalTensor({ name, dataType, elements, entries: entries ?? new Map() });
  }
};

/** A StringStringEntryProto. */
const entry = (reader: Reader, { at, end }: Field): [key: string, value: string] => {
  let key = "";
  let value = "";
  reader.seek(at);
  while (reader.position() < end) {
    const field = reader.field(end);
    if (field.number === 1) key = whole(reader, field);
    else if (field.number === 2) value = whole(reader, field);
    reader.seek(field.end);
  }
  return [key, value];
};

const whole = (reader: Reader, field: Field): string => {
  if (field.end - field.at > MAX_TEXT) {
    throw new MalformedModel(field.at, `a domain, operator or location has more than ${MAX_TEXT} bytes`);
  }
  return reader.text(field, MAX_TEXT);
};

const shown = (reader: Reader, field: Field): string => reader.text(field, SHOWN);
