import { fixedNumbers, MAX_KEPT, readTensor, signedNumbers } from "./read-tensor.ts";
import { type Field, MalformedModel, type Reader } from "./reader.ts";
import {
  type Attribute,
  type Constant,
  type Dimension,
  domainOf,
  functionKey,
  type Graph,
  type GraphNode,
  type LocalFunction,
  type ModelStructure,
  type ValueInfo,
} from "./structure.ts";

/** The graph is more than can be looked at; `message` says of what. */
export class TooLarge extends Error {}

/** Nodes, tensors and names together: some 60,000 nodes, ten times what large language models have, and about 200 MB. */
const MAX_ITEMS = 300_000;
const MAX_TEXT = 4096;
/** Of attributes that are lists of texts, such as a vocabulary. */
const MAX_STRINGS = 200_000;
const MAX_STRING = 64;
/** Graphs within graphs. */
const MAX_DEPTH = 32;

type Budget = { items: number };

/**
 * Reads the structure of a model: its nodes with their attributes, the shapes of what comes in and of its tensors, the
 * elements of the small ones. Weights are skipped. Throws MalformedModel or TooLarge.
 */
export const readStructure = (reader: Reader): ModelStructure => {
  const budget: Budget = { items: 0 };
  let irVersion = 0;
  let graph: Graph | undefined;
  const opsets = new Map<string, number>();
  const functions = new Map<string, LocalFunction>();
  each(reader, reader.size, (field) => {
    if (field.number === 1) irVersion = field.value;
    else if (field.number === 7) {
      // whoever loads it puts both together, as one graph
      if (graph !== undefined) throw new MalformedModel(field.at, "the model has two graphs");
      graph = readGraph(reader, field.end, budget, 1);
    } else if (field.number === 8) readOpset(reader, field.end, opsets);
    else if (field.number === 25) readFunction(reader, field.end, budget, functions);
  });
  if (graph === undefined) throw new MalformedModel(reader.size, "the model has no graph");
  return { irVersion, opsets, graph, functions };
};

/** Shows each field of a message until `end`, and goes on behind it whatever was read of it. */
const each = (reader: Reader, end: number, show: (field: Field) => void): void => {
  while (reader.position() < end) {
    const field = reader.field(end);
    show(field);
    reader.seek(field.end);
  }
};

const spend = (budget: Budget): void => {
  if (++budget.items > MAX_ITEMS) throw new TooLarge(`its graph has more than ${MAX_ITEMS} nodes, names and tensors`);
};

const text = (reader: Reader, field: Field): string => reader.text(field, MAX_TEXT);

const readOpset = (reader: Reader, end: number, opsets: Map<string, number>): void => {
  let domain = "";
  let version = 0;
  each(reader, end, (field) => {
    if (field.number === 1) domain = domainOf(text(reader, field));
    else if (field.number === 2) version = field.value;
  });
  opsets.set(domain, version);
};

const readGraph = (reader: Reader, end: number, budget: Budget, depth: number): Graph => {
  if (depth > MAX_DEPTH) throw new TooLarge(`more than ${MAX_DEPTH} graphs are within each other`);
  const nodes: GraphNode[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const initializers = new Map<string, Constant>();
  each(reader, end, (field) => {
    if (field.number === 1) nodes.push(readNode(reader, field.end, budget, depth));
    else if (field.number === 5) {
      spend(budget);
      const { name, constant } = readTensor(reader, field.end);
      initializers.set(name, constant);
    } else if (field.number === 11) inputs.push(readValueInfo(reader, field.end, budget));
    else if (field.number === 12) outputs.push(readValueInfo(reader, field.end, budget));
    else if (field.number === 15) {
      spend(budget);
      const { name, constant } = readSparse(reader, field.end);
      initializers.set(name, constant);
    }
  });
  return { nodes, inputs, outputs, initializers };
};

/** A sparse tensor becomes a dense one of its shape when it is loaded; its values are of no interest here. */
const readSparse = (reader: Reader, end: number): { name: string; constant: Constant } => {
  const dims: number[] = [];
  let name = "";
  let type = 0;
  each(reader, end, (field) => {
    if (field.number === 1) {
      const values = readTensor(reader, field.end);
      name = values.name;
      type = values.constant.type;
    } else if (field.number === 3) signedNumbers(reader, field, dims, 64);
  });
  return { name, constant: { type, dims, values: undefined, text: undefined } };
};

const readNode = (reader: Reader, end: number, budget: Budget, depth: number): GraphNode => {
  spend(budget);
  let [name, operator, domain, overload] = ["", "", "", ""];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  each(reader, end, (field) => {
    if (field.number === 1 || field.number === 2) {
      spend(budget);
      (field.number === 1 ? inputs : outputs).push(text(reader, field));
    } else if (field.number === 3) name = reader.text(field, 253);
    else if (field.number === 4) operator = text(reader, field);
    else if (field.number === 5) readAttribute(reader, field.end, attributes, budget, depth);
    else if (field.number === 7) domain = domainOf(text(reader, field));
    else if (field.number === 8) overload = text(reader, field);
  });
  return { name, operator, domain, overload, inputs, outputs, attributes };
};

const readFunction = (reader: Reader, end: number, budget: Budget, functions: Map<string, LocalFunction>): void => {
  spend(budget);
  let [name, domain, overload] = ["", "", ""];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const nodes: GraphNode[] = [];
  const defaults = new Map<string, Attribute>();
  const opsets = new Map<string, number>();
  each(reader, end, (field) => {
    if (field.number === 1) name = text(reader, field);
    else if (field.number === 4 || field.number === 5) {
      spend(budget);
      (field.number === 4 ? inputs : outputs).push(text(reader, field));
    } else if (field.number === 7) nodes.push(readNode(reader, field.end, budget, 1));
    else if (field.number === 9) readOpset(reader, field.end, opsets);
    else if (field.number === 10) domain = text(reader, field);
    else if (field.number === 11) readAttribute(reader, field.end, defaults, budget, 1);
    else if (field.number === 13) overload = text(reader, field);
  });
  functions.set(functionKey(domain, name, overload), { inputs, outputs, defaults, nodes, opsets });
};

const KINDS = ["other", "float", "int", "string", "tensor", "graph", "floats", "ints", "strings"] as const;

/** An attribute as its fields come. `count`: its values, those that are not kept among them. */
type Draft = {
  name: string;
  reference: string;
  type: number | undefined;
  float: number;
  number: number;
  string: string;
  tensor: Constant | undefined;
  graph: Graph | undefined;
  isTwice: boolean;
  count: number;
  readonly floats: number[];
  readonly numbers: number[];
  readonly strings: string[];
};

const newDraft = (): Draft => ({
  ...{ name: "", reference: "", type: undefined },
  ...{ float: 0, number: 0, string: "", tensor: undefined, graph: undefined, isTwice: false },
  ...{ count: 0, floats: [], numbers: [], strings: [] },
});

const readAttribute = (
  reader: Reader,
  end: number,
  attributes: Map<string, Attribute>,
  budget: Budget,
  depth: number,
): void => {
  spend(budget);
  const draft = newDraft();
  each(reader, end, (field) => readAttributeField(reader, field, draft, budget, depth));
  // two of one name: which one holds is nowhere written; two graphs of one are put together when it is loaded
  const isUnclear = draft.reference === "" && (attributes.has(draft.name) || draft.isTwice);
  attributes.set(draft.name, isUnclear ? { kind: "other" } : attributeOf(draft));
};

const readAttributeField = (reader: Reader, field: Field, draft: Draft, budget: Budget, depth: number): void => {
  switch (field.number) {
    case 1:
      draft.name = text(reader, field);
      break;
    case 2:
      if (field.wire === "fixed") draft.float = reader.bytes(field, 4).getFloat32(0, true);
      break;
    case 3:
      reader.seek(field.at);
      if (field.wire === "varint") draft.number = reader.signed(field.end);
      break;
    case 4:
      draft.string = text(reader, field);
      break;
    case 5:
      draft.isTwice ||= draft.tensor !== undefined;
      draft.tensor = readTensor(reader, field.end).constant;
      break;
    case 6:
      draft.isTwice ||= draft.graph !== undefined;
      draft.graph = readGraph(reader, field.end, budget, depth + 1);
      break;
    case 7:
      draft.count += field.wire === "fixed" ? 1 : (field.end - field.at) / 4;
      fixedNumbers(reader, field, 4, draft.floats);
      break;
    case 8:
      // one by one in ONNX's own files, so that what follows the ones that are kept is only counted
      draft.count++;
      if (draft.numbers.length <= MAX_KEPT) signedNumbers(reader, field, draft.numbers, MAX_KEPT + 1);
      break;
    case 9:
      draft.count++;
      if (draft.strings.length < MAX_STRINGS) draft.strings.push(reader.text(field, MAX_STRING));
      break;
    case 20:
      draft.type = field.value;
      break;
    case 21:
      draft.reference = text(reader, field);
      break;
  }
};

const attributeOf = (draft: Draft): Attribute => {
  const { count, float, floats, graph, number, numbers, reference, string, strings, tensor, type } = draft;
  if (reference !== "") return { kind: "reference", name: reference };
  switch (KINDS[type ?? 0]) {
    case "float":
      return { kind: "float", value: float };
    case "int":
      return { kind: "int", value: number };
    case "string":
      return { kind: "string", value: string };
    case "tensor":
      return tensor === undefined ? { kind: "other" } : { kind: "tensor", value: tensor };
    case "graph":
      return graph === undefined ? { kind: "other" } : { kind: "graph", value: graph };
    case "floats":
      return { kind: "floats", ...kept(floats, MAX_KEPT, count) };
    case "ints":
      return { kind: "ints", ...kept(numbers, MAX_KEPT, count) };
    case "strings":
      return { kind: "strings", ...kept(strings, MAX_STRINGS, count) };
    default:
      return { kind: "other" };
  }
};

/** The values, unless there are more than are kept. */
const kept = <T>(values: readonly T[], most: number, count: number) => ({
  values: values.length <= most && values.length >= count ? values : undefined,
  length: Math.max(count, values.length),
});

const readValueInfo = (reader: Reader, end: number, budget: Budget): ValueInfo => {
  spend(budget);
  let name = "";
  let type: number | undefined;
  let shape: Dimension[] | undefined;
  const readShape = (field: Field): void => {
    const dims: Dimension[] = [];
    each(reader, field.end, (dim) => {
      if (dim.number !== 1) return;
      let size: Dimension = null;
      each(reader, dim.end, (part) => {
        // what is below 0 is read as far above all sizes; onnxruntime takes it for open
        if (part.number === 1) size = part.value < 2 ** 53 ? part.value : null;
        else if (part.number === 2) size = part.at === part.end ? null : text(reader, part);
      });
      if (dims.length < 64) dims.push(size);
    });
    shape = dims;
  };
  each(reader, end, (field) => {
    if (field.number === 1) name = text(reader, field);
    else if (field.number !== 2) return;
    else
      each(reader, field.end, (kind) => {
        if (kind.number !== 1) return;
        type = 0;
        each(reader, kind.end, (part) => {
          if (part.number === 1) type = part.value;
          else if (part.number === 2) readShape(part);
        });
      });
  });
  return { name, type, shape };
};
