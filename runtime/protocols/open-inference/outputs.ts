import { invalid, RequestError } from "../../inference/errors.ts";
import type { Model } from "../../inference/index.ts";
import type { HttpResponse } from "../../server/http/types.ts";
import type { Tensor } from "../../tensors/index.ts";
import { type JsonText, writeFlat } from "../json/write.ts";
import { classify, MAX_CLASSES } from "./classification.ts";
import type { ReadRequest } from "./inputs.ts";
import type { InferEnvelope } from "./schema.ts";

/** `classes`: not the values but the greatest so many of them. */
export type WantedOutput = { name: string; binary: boolean; classes: number | undefined };

type Parameters = InferEnvelope["parameters"];

/** The outputs that a request asks for; all where it names none. Throws where one cannot be had in the form asked for. */
export const wantedOutputs = (model: Model, { envelope, raw }: ReadRequest): WantedOutput[] => {
  const binary = raw || (flag("the request", envelope.parameters, "binary_data_output") ?? false);
  const asked = envelope.outputs;
  const wanted: WantedOutput[] =
    asked === undefined || asked.length === 0
      ? model.outputs.map(({ name }) => ({ name, binary, classes: undefined }))
      : asked.map(({ name, parameters }, i) => {
          if (asked.some((other, j) => j < i && other.name === name)) {
            throw invalid(`output "${name.slice(0, 253)}" is asked for twice`);
          }
          if (parameters?.shared_memory_region !== undefined) {
            const text = `output "${name.slice(0, 253)}": shared memory is not supported, the answer has the data`;
            throw new RequestError("Unsupported", `${text}; leave the parameter shared_memory_region out`);
          }
          return {
            name,
            binary: flag(`output "${name}"`, parameters, "binary_data") ?? binary,
            classes: classesOf(name, parameters),
          };
        });
  for (const output of wanted) checkForm(model, output);
  return wanted;
};

/** FP16 has no JSON form, strings have no order: better refused before the model runs than after. */
const checkForm = (model: Model, { name, binary, classes }: WantedOutput): void => {
  const info = model.outputs.find((output) => output.name === name);
  if (info === undefined) {
    const names = model.outputs.map((output) => `"${output.name}"`).join(", ");
    throw invalid(`output "${name.slice(0, 253)}" is unknown; the model's outputs are ${names}`);
  }
  const { datatype } = info;
  if (classes !== undefined && (datatype === "FP16" || datatype === "BYTES" || datatype === "BOOL")) {
    throw invalid(`output "${name}": classification wants numbers, it has ${datatype}`);
  }
  if (datatype === "FP16" && !binary) {
    throw invalid(`output "${name}": FP16 has no JSON form; ask for it with the parameter binary_data`);
  }
};

const flag = (of: string, parameters: Parameters, name: string): boolean | undefined => {
  const value = parameters?.[name];
  if (value === undefined || typeof value === "boolean") return value;
  throw invalid(`${of}: parameter ${name} must be true or false`);
};

const classesOf = (name: string, parameters: Parameters): number | undefined => {
  const classes = parameters?.classification;
  if (classes === undefined || classes === 0) return undefined;
  if (typeof classes === "number" && Number.isSafeInteger(classes) && classes > 0 && classes <= MAX_CLASSES)
    return classes;
  throw invalid(`output "${name}": parameter classification must be the number of classes, 1 to ${MAX_CLASSES}`);
};

/** The answer to POST …/infer: JSON, and after it the outputs that were asked for in binary form. */
export const writeResponse = (
  model: Model,
  id: string | undefined,
  wanted: readonly WantedOutput[],
  results: ReadonlyMap<string, Tensor>,
): HttpResponse => {
  const binaries: Uint8Array[] = [];
  const parts: JsonText = [];
  let json = `{"model_name":"${model.name}","model_version":"${model.version}"`;
  if (id !== undefined) json += `,"id":${JSON.stringify(id)}`;
  json += ',"outputs":[';
  for (let i = 0; i < wanted.length; i++) {
    const { name = "", binary = false, classes } = wanted[i] ?? {};
    const result = results.get(name);
    if (result === undefined) throw new Error(`the model gave no output "${name}"`);
    const tensor = classes === undefined ? result : classify(result, classes);
    json += `${i === 0 ? "" : ","}{"name":${JSON.stringify(name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape}],`;
    if (binary) {
      binaries.push(tensor.bytes);
      json += `"parameters":{"binary_data_size":${tensor.bytes.length}}}`;
    } else {
      json += '"data":';
      for (const part of writeFlat(tensor)) {
        if (typeof part === "string") json += part;
        else {
          if (json !== "") parts.push(json);
          parts.push(part);
          json = "";
        }
      }
      json += "}";
    }
  }
  parts.push(`${json}]}`);
  if (binaries.length === 0) return { status: 200, headers: { "content-type": "application/json" }, parts };
  return {
    status: 200,
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0)),
    },
    parts: [...parts, ...binaries],
  };
};
