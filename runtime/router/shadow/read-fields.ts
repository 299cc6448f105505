/** The numbers and texts of any other JSON: TensorFlow Serving's, KServe V1's, a server's own. Pure. */
import { RequestError } from "../../errors/request-error.ts";
import { parseDocument } from "../../protocols/json/document.ts";
import { parseTensor } from "../../protocols/json/tensor.ts";
import type { Choose, JsonValue } from "../../protocols/json/types.ts";
import { elements, type NumericArray } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { numberOf } from "./json-number.ts";
import { hasLongNumber, joinNumbers, type Numbers } from "./long-numbers.ts";
import { addOutput, type Output, type Outputs } from "./outputs.ts";

export type Fields = Readonly<Record<string, JsonValue>>;
export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

/** Ids, versions and times: they say nothing of the model's answer. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  ...["id", "model_name", "model_version", "model_spec", "parameters", "created"],
]);
/** Of these the fields are the outputs, as rows or as columns; a single output stands in it without its name. */
const ENVELOPES: ReadonlySet<string> = new Set(["predictions", "outputs"]);

const LIST = 0x5b;
/** Lists are read as tensors where they are some, so that a long one costs no object for each element. */
const listsLater: Choose = (path, _parent, first) => (first === LIST && path.length <= 8 ? "later" : undefined);
/** Where there are numbers that a double does not hold, each stands for itself. */
const numbersLater: Choose = (path, parent, first) =>
  first === 0x2d || (first >= 0x30 && first <= 0x39) ? "later" : listsLater(path, parent, first);
/** How a document is read that `readFields` gets. */
export const laterIn = (json: Uint8Array): Choose => (hasLongNumber(json) ? numbersLater : listsLater);
/** Lists in lists that are no tensors are read once for each level: below this one, as they are. */
const MOST_LEVELS = 4;

/**
 * Each field of the first level, and each field of the rows or columns of an envelope, is an output: its numbers with their shape,
 * and its texts. What is no list of numbers has, besides, the lengths of its lists.
 */
export const readFields = (document: Fields, later: Choose = listsLater): Outputs => {
  const found: Found = { numbers: new Map(), texts: new Map(), lengths: new Map(), ragged: 0, visits: 0, later };
  for (const [key, value] of Object.entries(document)) {
    if (NOT_COMPARED.has(key)) continue;
    const isEnvelope = ENVELOPES.has(key);
    visit(found, { place: key, name: isEnvelope ? undefined : key, isEnvelope }, value, 0);
  }
  const outputs = new Map<string, Output>();
  for (const [place, { name, pieces, shapes }] of found.numbers) {
    const { bytes, count, datatype } = joinNumbers(pieces);
    const shape = shapeOf(shapes, count);
    if (new Set(shapes).size > 1) found.lengths.set(place, [...(found.lengths.get(place) ?? []), ...shapes]);
    addOutput(outputs, place, {
      ...{ name, declared: undefined, datatype, shape, bytes },
    });
  }
  for (const [place, { name, values }] of found.texts) addTexts(outputs, `${place} (text)`, name, values);
  // what has neither has no lengths to be told of
  for (const [place, lengths] of found.lengths)
    if (outputs.size > 0) addTexts(outputs, `${place} (lengths)`, undefined, [lengths.join(" ")]);
  return outputs;
};

const addTexts = (outputs: Map<string, Output>, place: string, name: string | undefined, values: string[]): void =>
  addOutput(outputs, place, {
    ...{ name: name === undefined ? undefined : `${name} (text)`, declared: "text", datatype: "BYTES" },
    ...{ shape: [values.length], bytes: encodeStrings(values) },
  });

type Place = { place: string; name: string | undefined; isEnvelope: boolean };
/** `shapes`: of the pieces that came one after another. */
type Found = {
  numbers: Map<string, { name: string | undefined; pieces: Numbers[]; shapes: string[] }>;
  texts: Map<string, { name: string | undefined; values: string[] }>;
  lengths: Map<string, string[]>;
  /** Lists of numbers that were tried as tensors, and are none. */
  ragged: number;
  /** Values that are none of a tensor's. */
  visits: number;
  later: Choose;
};

/** Pieces of one shape are rows; others have lost theirs. */
const shapeOf = (shapes: readonly string[], count: number): number[] => {
  const [first = ""] = shapes;
  if (shapes.some((shape) => shape !== first)) return [count];
  const shape = first === "" ? [] : first.split(",").map(Number);
  return shapes.length === 1 ? shape : [shapes.length, ...shape];
};

const visit = (found: Found, place: Place, value: JsonValue, depth: number): void => {
  if (depth > MOST_DEPTH) throw new Error("it is nested too deeply");
  if (++found.visits > MOST_VISITS) throw new Error(`it has more than ${MOST_VISITS} values besides those of tensors`);
  if (value instanceof Uint8Array) visitText(found, place, value, depth);
  else if (typeof value === "number") addNumbers(found, place, Float64Array.of(value), []);
  else if (typeof value === "string") textsAt(found, place).push(value);
  else if (Array.isArray(value)) visitList(found, place, value, depth);
  else if (!isFields(value)) textsAt(found, place).push(String(value));
  else
    for (const [key, one] of Object.entries(value)) {
      // other fields name classes and the like: two answers with other names do not say the same
      if (!place.isEnvelope) textsAt(found, place).push(key);
      const inner = place.isEnvelope ? { place: `${place.place}.${key}`, name: key, isEnvelope: false } : place;
      visit(found, inner, one, depth + 1);
    }
};

const MOST_DEPTH = 32;
/** Some 100 ms. */
const MOST_VISITS = 262_144;

/** A try that fails costs as much as reading some hundred numbers. */
const MOST_RAGGED = 64;

/** A list that was left for later. */
const visitText = (found: Found, place: Place, text: Uint8Array, depth: number): void => {
  const isPatient = found.ragged < MOST_RAGGED;
  const parse = (): JsonValue => parseDocument(text, isPatient && depth < MOST_LEVELS ? found.later : () => undefined);
  if (!isPatient || !isOfNumbers(text)) {
    visit(found, place, parse(), depth + 1);
    return;
  }
  const datatypes = hasLongNumber(text) ? LONG : DOUBLES;
  for (const datatype of datatypes) {
    try {
      const { bytes, shape } = parseTensor(text, { label: place.place, datatype, shape: undefined });
      const numbers = elements(datatype, bytes);
      if (isRead(numbers)) addNumbers(found, place, numbers, shape);
      return;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
    }
  }
  found.ragged++;
  visit(found, place, parse(), depth + 1);
};
const DOUBLES = ["FP64"] as const;
const LONG = ["INT64", "UINT64", "FP64"] as const;
const isRead = (numbers: NumericArray): numbers is Numbers =>
  numbers instanceof Float64Array || numbers instanceof BigInt64Array || numbers instanceof BigUint64Array;

/** By ASCII: digits and their signs, brackets, commas, space, and the letters of NaN and Infinity. */
const NUMBER_BYTES = new Uint8Array(256);
for (const byte of Buffer.from("0123456789+-.eE[], \t\r\nNaInfity")) NUMBER_BYTES[byte] = 1;

const isOfNumbers = (text: Uint8Array): boolean => {
  for (let i = 0; i < text.length; i++) if (NUMBER_BYTES[text[i] ?? 0] === 0) return false;
  return true;
};

/** Missing numbers among others are no numbers, whatever they are written as; among texts they are texts. */
const visitList = (found: Found, place: Place, list: readonly JsonValue[], depth: number): void => {
  const isNumber = (one: JsonValue): boolean =>
    typeof one === "number" || (one instanceof Uint8Array && one[0] !== LIST);
  if (list.some(isNumber)) {
    const numbers = list.map((one) =>
      numberOf(one instanceof Uint8Array && isNumber(one) ? Number(Buffer.from(one)) : one),
    );
    const known = numbers.filter((one) => one !== undefined);
    if (known.length === numbers.length) {
      addNumbers(found, place, Float64Array.from(known), [known.length]);
      return;
    }
  }
  const lengths = found.lengths.get(place.place) ?? [];
  found.lengths.set(place.place, lengths);
  lengths.push(String(list.length));
  for (const one of list) visit(found, place, one, depth + 1);
};

const addNumbers = (found: Found, { name, place }: Place, values: Numbers, shape: readonly number[]): void => {
  const known = found.numbers.get(place) ?? { name, pieces: [], shapes: [] };
  found.numbers.set(place, known);
  known.pieces.push(values);
  known.shapes.push(shape.join(","));
};

const textsAt = (found: Found, { name, place }: Place): string[] => {
  const known = found.texts.get(place) ?? { name, values: [] };
  found.texts.set(place, known);
  return known.values;
};
