import { closeSync, openSync, statSync } from "node:fs";
import { Failure } from "../termination.ts";
import { findExternalTensor, MalformedProtobuf } from "./external-data.ts";

/** The largest protobuf message; a larger model needs external data. */
const MAX_BYTES = 2 * 1024 ** 3;

/**
 * Refuses what is no single-file model before onnxruntime sees it: only one file is fetched and checked, and a model must
 * not make the server read others.
 */
export const checkModelFile = (path: string): void => {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new Failure("ModelInvalid", `there is no file ${path}`);
  if (!stats.isFile()) throw new Failure("ModelInvalid", `${path} is not a regular file`);
  if (stats.size === 0) throw new Failure("ModelInvalid", `${path} is empty`);
  if (stats.size >= MAX_BYTES) {
    throw new Failure(
      "ModelInvalid",
      `${path} has ${stats.size} bytes; an ONNX file has less than ${MAX_BYTES} (2 GiB)`,
    );
  }
  const tensor = externalTensor(path, stats.size);
  if (tensor !== undefined) {
    throw new Failure(
      "ModelInvalid",
      `the data of tensor "${tensor}" are in another file (external data); save the model as one file`,
    );
  }
};

const externalTensor = (path: string, size: number): string | undefined => {
  const file = openSync(path, "r");
  try {
    return findExternalTensor(file, size);
  } catch (error) {
    if (!(error instanceof MalformedProtobuf)) throw error;
    throw new Failure("ModelInvalid", `${path} is not an ONNX model: ${error.message}`);
  } finally {
    closeSync(file);
  }
};
