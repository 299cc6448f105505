import { z } from "zod";
import type { Tensor, TensorInfo } from "../../engine/index.ts";
import { elementCount, isDatatype } from "../../engine/tensors.ts";
import { readBinaryData } from "./binary.ts";
import { badRequest } from "./errors.ts";
import { readJsonData } from "./json.ts";
import { parseText } from "./json-text.ts";

export type Model = { name: string; version: string; inputs: readonly TensorInfo[]; outputs: readonly TensorInfo[] };

export type WantedOutput = { name: string; binary: boolean };
export type InferRequest = { id: string | undefined; inputs: Map<string, Tensor>; outputs: WantedOutput[] };

const parameters = z.record(z.string(), z.unknown()).optional();
const requestSchema = z.object({
  id: z.string().max(1024).optional(),
  parameters,
  inputs: z
    .array(
      z.object({
        name: z.string(),
        shape: z.array(z.int().nonnegative()).max(64),
        datatype: z.string(),
        parameters,
        data: z.unknown().optional(),
      }),
    )
    .max(1024),
  outputs: z
    .array(z.object({ name: z.string(), parameters }))
    .max(1024)
    .optional(),
});
type RequestInput = z.infer<typeof requestSchema>["inputs"][number];

/**
 * Reads the body of POST …/infer. `headerLength` is the Inference-Header-Content-Length: so many bytes of JSON, then the
 * binary tensors in the order of the inputs; undefined where the body is all JSON.
 */
export const readInferRequest = (model: Model, body: Uint8Array, headerLength: string | undefined): InferRequest => {
  const jsonLength = headerLength === undefined ? body.length : readHeaderLength(headerLength, body.length);
  const has64Bit = model.inputs.some(({ datatype }) => datatype === "INT64" || datatype === "UINT64");
  const { value, exact } = parseText(decodeUtf8(body.subarray(0, jsonLength)), has64Bit);
  const result = requestSchema.safeParse(value);
  if (!result.success) throw badRequest(describeIssue(result.error.issues[0], value));
  const request = result.data;
  checkNames(model, request.inputs);

  const inputs = new Map<string, Tensor>();
  let at = jsonLength;
  for (const input of request.inputs) {
    const info = model.inputs.find(({ name }) => name === input.name);
    if (info === undefined) continue; // checkNames has refused it
    const { datatype, count } = checkType(info, input);
    const size = binarySize(input);
    if (size === undefined) {
      const data = readJsonData(info.name, datatype, input.data, count, exact);
      inputs.set(info.name, { datatype, shape: input.shape, data });
    } else {
      if (input.data !== undefined) throw badRequest(`input "${info.name}": has both data and binary_data_size`);
      if (at + size > body.length) {
        throw badRequest(
          `input "${info.name}": binary_data_size is ${size}, the body has ${body.length - at} bytes left`,
        );
      }
      const data = readBinaryData(info.name, datatype, body.subarray(at, at + size), count);
      inputs.set(info.name, { datatype, shape: input.shape, data });
      at += size;
    }
  }
  if (at < body.length) throw badRequest(`the body has ${body.length - at} bytes after the last binary input`);
  return { id: request.id, inputs, outputs: wantedOutputs(model, request) };
};

const readHeaderLength = (header: string, bodyLength: number): number => {
  const length = /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (length === 0)
    throw badRequest("Inference-Header-Content-Length is 0: a body without the JSON header is not supported");
  if (!(length <= bodyLength)) {
    throw badRequest(`Inference-Header-Content-Length must be a number from 1 to the body's ${bodyLength} bytes`);
  }
  return length;
};

const decodeUtf8 = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw badRequest("the request is not JSON: it is not UTF-8 (is Inference-Header-Content-Length missing?)");
  }
};

/** Names the tensor that the issue is about, where the request does. */
const describeIssue = (issue: z.core.$ZodIssue | undefined, request: unknown): string => {
  const path = issue?.path ?? [];
  const message = issue?.message ?? "is not valid";
  const [list, index, ...rest] = path;
  const name = typeof index === "number" ? tensorName(request, list, index) : undefined;
  if (name !== undefined && rest[0] !== "name") {
    return `${list === "inputs" ? "input" : "output"} "${name}": ${showPath(rest)}: ${message}`;
  }
  return `the request's ${path.length === 0 ? "JSON" : showPath(path)}: ${message}`;
};

const showPath = (path: readonly PropertyKey[]): string =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");

const namedList = z.array(z.object({ name: z.string().max(253) }).or(z.unknown()));
const tensorName = (request: unknown, list: PropertyKey | undefined, index: number): string | undefined => {
  const lists = z.record(z.string(), z.unknown()).safeParse(request).data;
  const item: unknown = namedList.safeParse(lists?.[String(list)]).data?.[index];
  return typeof item === "object" && item !== null && "name" in item && typeof item.name === "string"
    ? item.name
    : undefined;
};

const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");

const checkNames = (model: Model, inputs: readonly RequestInput[]): void => {
  const names = model.inputs.map(({ name }) => name);
  const seen = new Set<string>();
  for (const { name } of inputs) {
    if (!names.includes(name)) throw badRequest(`input "${name}" is unknown; the model's inputs are ${list(names)}`);
    if (seen.has(name)) throw badRequest(`input "${name}" is given twice`);
    seen.add(name);
  }
  const missing = names.filter((name) => !seen.has(name));
  if (missing.length > 0) throw badRequest(`input ${list(missing)} is missing`);
};

const checkType = (info: TensorInfo, input: RequestInput) => {
  const { name, datatype, shape } = info;
  if (!isDatatype(input.datatype) || input.datatype !== datatype) {
    throw badRequest(`input "${name}": datatype is ${input.datatype.slice(0, 20)}, the model wants ${datatype}`);
  }
  const fits =
    shape.length === input.shape.length && shape.every((size, i) => size === null || size === input.shape[i]);
  if (!fits) {
    throw badRequest(
      `input "${name}": shape is [${input.shape}], the model wants [${shape.map((size) => size ?? -1)}] (-1: any size)`,
    );
  }
  const count = elementCount(input.shape);
  if (count === undefined)
    throw badRequest(`input "${name}": shape [${input.shape}] has more elements than can be counted`);
  return { datatype, count };
};

const binarySize = (input: RequestInput): number | undefined => {
  const size = input.parameters?.binary_data_size;
  if (size === undefined) return undefined;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw badRequest(`input "${input.name}": binary_data_size must be a number of bytes`);
  }
  return size;
};

const wantedOutputs = (model: Model, request: z.infer<typeof requestSchema>): WantedOutput[] => {
  const names = model.outputs.map(({ name }) => name);
  const binary = flag("the request", request.parameters, "binary_data_output") ?? false;
  if (request.outputs === undefined || request.outputs.length === 0) return names.map((name) => ({ name, binary }));
  const seen = new Set<string>();
  return request.outputs.map(({ name, parameters }) => {
    if (!names.includes(name)) throw badRequest(`output "${name}" is unknown; the model's outputs are ${list(names)}`);
    if (seen.has(name)) throw badRequest(`output "${name}" is asked for twice`);
    seen.add(name);
    return { name, binary: flag(`output "${name}"`, parameters, "binary_data") ?? binary };
  });
};

const flag = (of: string, parameters: Record<string, unknown> | undefined, name: string): boolean | undefined => {
  const value = parameters?.[name];
  if (value === undefined || typeof value === "boolean") return value;
  throw badRequest(`${of}: parameter ${name} must be true or false`);
};
