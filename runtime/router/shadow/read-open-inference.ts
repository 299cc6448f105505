/** The tensors of an answer in JSON of the Open Inference Protocol, with or without binary data behind it. Pure. */
import { z } from "zod";
import { RequestError } from "../../errors/request-error.ts";
import { parseDocument } from "../../protocols/json/document.ts";
import { parseTensor } from "../../protocols/json/tensor.ts";
import { bytesOf, type Datatype, elementCount, isDatatype, type Tensor } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { tensorOfBytes } from "./binary.ts";
import { numberOf } from "./json-number.ts";
import { addOutput, MOST_OUTPUTS, type Output, type Outputs } from "./outputs.ts";

const outputsSchema = z.array(
  z.object({
    name: z.string(),
    datatype: z.string(),
    shape: z.array(z.int().min(0)).max(64),
    /** As its bytes. */
    data: z.instanceof(Uint8Array).optional(),
    parameters: z.object({ binary_data_size: z.int().min(0).optional() }).nullish(),
  }),
);

/**
 * Undefined: `list` is none of tensors.
 *
 * @param list the JSON of the answer's `outputs`
 * @param binary what follows the JSON
 */
export const readTensors = (list: Uint8Array, binary: Uint8Array): Outputs | undefined => {
  const document = parseDocument(list, ([, key]) => (key === "data" ? "later" : undefined));
  // each of many that are wrong would be described
  if (!Array.isArray(document) || document.length > MOST_OUTPUTS) return undefined;
  const parsed = outputsSchema.safeParse(document);
  if (!parsed.success) return undefined;
  const outputs = new Map<string, Output>();
  let at = 0;
  for (const { data, datatype, name, parameters, shape } of parsed.data) {
    const size = parameters?.binary_data_size;
    let tensor: Tensor;
    if (size === undefined) tensor = fromJson(name, datatype, shape, data ?? NO_DATA);
    else {
      if (at + size > binary.length) throw new Error(`output "${name}" has other bytes than its shape says`);
      tensor = tensorOfBytes(name, datatype, shape, binary.subarray(at, at + size));
      at += size;
    }
    addOutput(outputs, name, { ...tensor, name, declared: datatype });
  }
  if (at < binary.length) throw new Error(`${binary.length - at} bytes are left over after its outputs`);
  return outputs;
};

const NO_DATA = Buffer.from("[]");

/** What the server's own reader refuses may still be right from another server, or be NaN in another spelling. */
const fromJson = (name: string, declared: string, shape: readonly number[], data: Uint8Array): Tensor => {
  const datatype = heldAs(declared);
  try {
    return parseTensor(data, { label: `output "${name}"`, datatype, shape });
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return leniently(name, datatype, shape, data);
  }
};

/** FP16 has no JSON form in the server's reader; the text of other floats is held by FP64. */
const heldAs = (declared: string): Datatype => (declared === "FP16" || !isDatatype(declared) ? "FP64" : declared);

const leniently = (name: string, datatype: Datatype, shape: readonly number[], data: Uint8Array): Tensor => {
  const parsed = parseDocument(data, () => undefined);
  const values: unknown[] = Array.isArray(parsed) ? parsed.flat(Number.POSITIVE_INFINITY) : [parsed];
  if (values.length !== elementCount(shape)) throw new Error(`output "${name}" has ${values.length} elements`);
  if (datatype === "BYTES") {
    const texts = values.map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    return { datatype, shape, bytes: encodeStrings(texts) };
  }
  const numbers = Float64Array.from(values, (value, index) => {
    const number = numberOf(value);
    if (number === undefined) throw new Error(`output "${name}": data[${index}] is not a number`);
    return number;
  });
  return { datatype: "FP64", shape, bytes: bytesOf(numbers) };
};
