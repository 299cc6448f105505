import { invalid, RequestError } from "../../errors/request-error.ts";
import type { Model } from "../../inference/index.ts";
import type { Tensor, TensorInfo } from "../../tensors/index.ts";
import type { HttpResponse } from "../../transport/http/types.ts";
import type { NotFinite } from "../json/not-finite.ts";
import { type JsonText, writeFlat } from "../json/write.ts";
import { classify, readClasses } from "./classification.ts";
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
    asked === undefined || asked === null || asked.length === 0
      ? model.outputs.map(({ name }) => ({ name, binary, classes: undefined }))
      : asked.map(({ name, parameters }, i) => {
          if (asked.some((other, j) => j < i && other.name === name)) {
            throw invalid(`output "${name.slice(0, 253)}" is requested twice; ask for it once`);
          }
          if ((parameters?.shared_memory_region ?? undefined) !== undefined) {
            const text = `output "${name.slice(0, 253)}": shared memory is not supported: the answer has the data`;
            throw new RequestError("Unsupported", `${text}; leave the parameter shared_memory_region out`);
          }
          return {
            name,
            binary: flag(`output "${name}"`, parameters, "binary_data") ?? binary,
            classes: readClasses(outputOf(model, name), parameters?.classification),
          };
        });
  for (const output of wanted) {
    // better refused before the model runs than after
    if (output.binary || outputOf(model, output.name).datatype !== "FP16") continue;
    throw invalid(`output "${output.name}": FP16 has no JSON form; ask for it with the parameter binary_data`);
  }
  return wanted;
};

/** Undefined where none is classified, as in most requests. */
export const classesOf = (wanted: readonly WantedOutput[]): ReadonlyMap<string, number> | undefined => {
  if (wanted.every(({ classes }) => classes === undefined)) return undefined;
  return new Map(wanted.flatMap(({ classes, name }) => (classes === undefined ? [] : [[name, classes]])));
};

/** The output of that name. Throws where the model has none. */
const outputOf = (model: Model, name: string): TensorInfo => {
  const info = model.outputs.find((output) => output.name === name);
  if (info !== undefined) return info;
  const names = model.outputs.map((output) => `"${output.name}"`).join(", ");
  throw invalid(`output "${name.slice(0, 253)}" is unknown; the model's outputs are ${names}`);
};

const flag = (of: string, parameters: Parameters, name: string): boolean | undefined => {
  const value = parameters?.[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "boolean") return value;
  throw invalid(`${of}: parameter ${name} must be true or false`);
};

/** The answer to POST …/infer: JSON, and after it the outputs that were asked for in binary form. */
export const writeResponse = (
  model: Model,
  id: string | null | undefined,
  wanted: readonly WantedOutput[],
  results: ReadonlyMap<string, Tensor>,
  notFinite: NotFinite = "bare",
): HttpResponse => {
  const binaries: Uint8Array[] = [];
  const parts: JsonText = [];
  let json = `{"model_name":"${model.name}","model_version":"${model.version}"`;
  if (id !== undefined && id !== null) json += `,"id":${JSON.stringify(id)}`;
  json += ',"outputs":[';
  for (let i = 0; i < wanted.length; i++) {
    const { name = "", binary = false, classes } = wanted[i] ?? {};
    const result = results.get(name);
    if (result === undefined) throw new Error(`the model computed no output "${name}"`);
    const tensor = classes === undefined ? result : classify(name, result, classes);
    json += `${i === 0 ? "" : ","}{"name":${JSON.stringify(name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape}],`;
    if (binary) {
      binaries.push(tensor.bytes);
      json += `"parameters":{"binary_data_size":${tensor.bytes.length}}}`;
    } else {
      json += '"data":';
      for (const part of writeFlat(tensor, notFinite)) {
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
