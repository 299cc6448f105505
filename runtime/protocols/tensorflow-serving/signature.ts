/** One model, one version, one signature: what of TensorFlow Serving's names means them. */
import { invalid, RequestError } from "../../errors/request-error.ts";
import type { Model } from "../../inference/index.ts";
import type { TensorInfo } from "../../tensors/index.ts";
import { shown } from "./check.ts";
import { writeShape } from "./tensor-proto.ts";
import { TYPES } from "./types.ts";
import {
  addBytes,
  addEntry,
  addMessage,
  addNumber,
  addText,
  finish,
  LENGTH,
  type Pieces,
  pieces,
  readVarint64,
  textOf,
  VARINT,
  visitFields,
} from "./wire.ts";

export const SIGNATURE = "serving_default";
/** The label that TensorFlow Serving's users give to what serves: always the version that is here. */
export const LABEL = "stable";
export const METHOD = "tensorflow/serving/predict";

/** What a request says of the model. Empty or undefined: nothing. */
export type ModelSpec = { name: string; version: string | undefined; label: string | undefined; signature: string };

export const readModelSpec = (message: Uint8Array): ModelSpec => {
  const spec: ModelSpec = { name: "", version: undefined, label: undefined, signature: "" };
  visitFields(message, (field, wire, value) => {
    if (wire !== LENGTH) return;
    if (field === 1) spec.name = textOf(value);
    else if (field === 2) {
      spec.version = readInt64Value(value);
      spec.label = undefined;
    } else if (field === 3) spec.signature = textOf(value);
    else if (field === 4) {
      spec.label = textOf(value);
      spec.version = undefined;
    }
  });
  return spec;
};

const readInt64Value = (message: Uint8Array): string => {
  let text = "0";
  visitFields(message, (field, wire, value) => {
    if (field !== 1 || wire !== VARINT) return;
    const { low, high } = readVarint64({ bytes: value, at: 0 });
    text = String((BigInt(high) << 32n) + BigInt(low));
  });
  return text;
};

/** gRPC knows versions only as numbers: a version that is none is called 1 there. */
export const versionNumber = (model: Model): string =>
  /^(0|[1-9]\d{0,17})$/.test(model.version) ? model.version : "1";

/** Throws a RequestError where the request means another model, version or signature. */
export const checkModelSpec = (model: Model, { name, version, label, signature }: ModelSpec): void => {
  if (name === "") throw invalid(`model_spec has no name; this server has the model "${model.name}"`);
  if (name !== model.name) {
    throw new RequestError("NotFound", `model ${shown(name)} is unknown; this server has "${model.name}"`);
  }
  if (version !== undefined && version !== versionNumber(model)) throw unknownVersion(model, version);
  if (label !== undefined && label !== LABEL) throw unknownLabel(model, label);
  checkSignature(signature);
};

const unknownVersion = (model: Model, version: string) =>
  new RequestError(
    "NotFound",
    `version ${shown(version)} of model "${model.name}" is unknown; there is ${model.version}`,
  );

const unknownLabel = (model: Model, label: string) =>
  invalid(`the label ${shown(label)} of model "${model.name}" is unknown; there is "${LABEL}"`);

export const checkSignature = (signature: string): void => {
  if (signature === "" || signature === SIGNATURE) return;
  throw invalid(`the signature ${shown(signature)} is unknown; this model has "${SIGNATURE}"`);
};

/** The ModelSpec of answers. */
export const writeModelSpec = (model: Model): Pieces => {
  const message = pieces();
  addText(message, 1, model.name);
  const version = pieces();
  addNumber(version, 1, Number(versionNumber(model)));
  addMessage(message, 2, version);
  addText(message, 3, SIGNATURE);
  return message;
};

/** The SignatureDefMap as a google.protobuf.Any. */
export const writeSignatures = (model: Model): Pieces => {
  const signature = pieces();
  for (const info of model.inputs) addEntry(signature, 1, info.name, writeTensorInfo(info));
  for (const info of model.outputs) addEntry(signature, 2, info.name, writeTensorInfo(info));
  addText(signature, 3, METHOD);
  const map = pieces();
  addEntry(map, 1, SIGNATURE, signature);
  const any = pieces();
  addText(any, 1, "type.googleapis.com/tensorflow.serving.SignatureDefMap");
  addBytes(any, 2, finish(map));
  return any;
};

const writeTensorInfo = ({ name, datatype, shape, anyRank }: TensorInfo): Pieces => {
  const message = pieces();
  addText(message, 1, name);
  addNumber(message, 2, TYPES[datatype].number);
  addMessage(message, 3, writeShape(shape, anyRank));
  return message;
};

/** The same for GET …/metadata, in the JSON form of Protocol Buffers: 64-bit numbers are texts. */
export const metadataJson = (model: Model) => ({
  model_spec: { name: model.name, signature_name: "", version: model.version },
  metadata: {
    signature_def: {
      signature_def: {
        [SIGNATURE]: {
          inputs: Object.fromEntries(model.inputs.map((info) => [info.name, tensorInfoJson(info)])),
          outputs: Object.fromEntries(model.outputs.map((info) => [info.name, tensorInfoJson(info)])),
          method_name: METHOD,
        },
      },
    },
  },
});

const tensorInfoJson = ({ name, datatype, shape, anyRank = false }: TensorInfo) => ({
  name,
  dtype: TYPES[datatype].name,
  tensor_shape: { dim: shape.map((size) => ({ size: String(size ?? -1), name: "" })), unknown_rank: anyRank },
});

/** GET /v1/models/M. `name` and `ready` are KServe's, which asks the same path. */
export const statusJson = (model: Model, ready: boolean) => ({
  model_version_status: [
    { version: model.version, state: stateOf(ready).name, status: { error_code: "OK", error_message: "" } },
  ],
  name: model.name,
  ready,
});

/** A server that wants no requests now is about to end, or its model is being started again. */
export const stateOf = (ready: boolean) =>
  ready ? { name: "AVAILABLE", number: 30 } : { name: "LOADING", number: 20 };
