import { DATATYPES, type Datatype, type DefaultValue, elementCount } from "../tensors/index.ts";
import { encodeStrings } from "../tensors/strings.ts";
import type { Default, ModelInterface } from "./interface.ts";
import { bytesAt, doublesOf, fieldsOf, floatsOf, varintsOf } from "./protobuf.ts";

/** Initializers with the names of inputs can be overridden from this version of the format on; before, all had to be inputs. */
const OVERRIDABLE_FROM_IR = 4;
/**
 * What is offered to requests goes with each of them. Larger ones, or more of them, are weights, which some exporters declare
 * as inputs as well.
 */
const MAX_BYTES = 4096;
const MAX_INPUTS = 32;

const DATATYPE_OF: ReadonlyMap<number, Datatype> = new Map([
  ...([
    [1, "FP32"],
    [2, "UINT8"],
    [3, "INT8"],
    [4, "UINT16"],
    [5, "INT16"],
    [6, "INT32"],
    [7, "INT64"],
  ] as const),
  ...([
    [8, "BYTES"],
    [9, "BOOL"],
    [10, "FP16"],
    [11, "FP64"],
    [12, "UINT32"],
    [13, "UINT64"],
  ] as const),
]);

/** The inputs that a request may leave out or give, by name. `file`: the model's bytes. */
export const readDefaults = (
  file: Uint8Array,
  { irVersion, defaults }: Pick<ModelInterface, "irVersion" | "defaults">,
): ReadonlyMap<string, DefaultValue> => {
  const found = new Map<string, DefaultValue>();
  if (irVersion < OVERRIDABLE_FROM_IR || defaults.length > MAX_INPUTS) return found;
  for (const { value } of defaults) {
    const bytes = readElements(file, value);
    if (bytes !== undefined) {
      found.set(value.name, { shape: value.dims, base64: Buffer.from(bytes).toString("base64") });
    }
  }
  return found;
};

/** Whether there may be any: the file need not be read for them otherwise. */
export const mayHaveDefaults = ({ irVersion, defaults }: Pick<ModelInterface, "irVersion" | "defaults">): boolean =>
  irVersion >= OVERRIDABLE_FROM_IR && defaults.length > 0 && defaults.length <= MAX_INPUTS;

/** In the form of `Tensor`; undefined where they are not offered. */
const readElements = (file: Uint8Array, value: Default): Uint8Array | undefined => {
  const datatype = DATATYPE_OF.get(value.element);
  const count = elementCount(value.dims);
  if (datatype === undefined || count === undefined || value.external || value.to - value.at > 2 * MAX_BYTES)
    return undefined;
  const fields = fieldsOf(file, value.at, value.to);
  const of = (number: number): Uint8Array[] => fields.filter((field) => field.number === number).map(bytesAt(file));
  if (datatype === "BYTES") {
    const texts = of(6);
    const bytes = encodeStrings(texts);
    return texts.length === count && bytes.length <= MAX_BYTES ? bytes : undefined;
  }
  const size = DATATYPES[datatype].bytes;
  if (count * size > MAX_BYTES) return undefined;
  const [raw] = of(9);
  if (raw !== undefined) return raw.length === count * size ? raw : undefined;
  const all = fields.filter(({ number }) => number === FIELD_OF[datatype]);
  const bytes = Buffer.alloc(count * size);
  let at = 0;
  for (const field of all) {
    const numbers =
      datatype === "FP32" ? floatsOf(file, field) : datatype === "FP64" ? doublesOf(file, field) : undefined;
    for (const number of numbers ?? []) {
      if (at >= count) return undefined;
      if (datatype === "FP32") bytes.writeFloatLE(number, at++ * size);
      else bytes.writeDoubleLE(number, at++ * size);
    }
    for (const number of numbers === undefined ? varintsOf(file, field) : []) {
      if (at >= count) return undefined;
      const whole = Buffer.alloc(8);
      whole.writeBigUInt64LE(BigInt.asUintN(64, number));
      whole.copy(bytes, at++ * size, 0, size);
    }
  }
  return at === count ? bytes : undefined;
};

/** Where a TensorProto holds the elements of each type, if they are not raw. */
const FIELD_OF: Readonly<Record<Exclude<Datatype, "BYTES">, number>> = {
  FP32: 4,
  FP64: 10,
  INT64: 7,
  UINT32: 11,
  UINT64: 11,
  ...{ BOOL: 5, UINT8: 5, UINT16: 5, INT8: 5, INT16: 5, INT32: 5, FP16: 5 },
};
