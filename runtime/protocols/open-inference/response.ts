import type { Tensor } from "../../engine/index.ts";
import { writeBinaryData } from "./binary.ts";
import { badRequest } from "./errors.ts";
import { writeJsonData } from "./json.ts";
import type { InferRequest, Model } from "./request.ts";

export type EncodedResponse = { headers: Record<string, string>; parts: (string | Uint8Array)[] };

/** FP16 has no JSON form: better refused before the model runs than after. */
export const checkOutputForms = (model: Model, request: InferRequest): void => {
  for (const { name, binary } of request.outputs) {
    if (!binary && model.outputs.find((output) => output.name === name)?.datatype === "FP16") {
      throw badRequest(`output "${name}": FP16 has no JSON form; ask for it with the parameter binary_data`);
    }
  }
};

/** The answer to POST …/infer: JSON, and after it the outputs that were asked for in binary form. */
export const writeInferResponse = (
  model: Model,
  request: InferRequest,
  results: ReadonlyMap<string, Tensor>,
): EncodedResponse => {
  const binaries: Uint8Array[] = [];
  const outputs = request.outputs.map(({ name, binary }) => {
    const tensor = results.get(name);
    if (tensor === undefined) throw new Error(`the model gave no output "${name}"`);
    const head = `{"name":${JSON.stringify(name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape}]`;
    if (!binary) return `${head},"data":${writeJsonData(tensor.datatype, tensor.data)}}`;
    const bytes = writeBinaryData(tensor.data);
    binaries.push(bytes);
    return `${head},"parameters":{"binary_data_size":${bytes.length}}}`;
  });
  const id = request.id === undefined ? "" : `,"id":${JSON.stringify(request.id)}`;
  const json = `{"model_name":${JSON.stringify(model.name)},"model_version":${JSON.stringify(model.version)}${id},"outputs":[${outputs.join(",")}]}`;
  if (binaries.length === 0) return { headers: { "content-type": "application/json" }, parts: [json] };
  return {
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(Buffer.byteLength(json)),
    },
    parts: [json, ...binaries],
  };
};
