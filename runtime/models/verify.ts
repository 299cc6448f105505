import { closeSync, openSync, statSync } from "node:fs";
import { Failure } from "../errors/termination.ts";
import { checkInterface } from "./check-interface.ts";
import { createExternalDataCheck } from "./external-data.ts";
import { readInterface } from "./interface.ts";
import { createReader, MalformedModel } from "./model-file/reader.ts";
import { walkModel } from "./model-file/walk.ts";
import { createOperatorCheck } from "./operators.ts";
import { convertedOutputs } from "./rewrite.ts";

/** The largest protobuf message; a larger model needs external data. */
const MAX_BYTES = 2 * 1024 ** 3;

/**
 * Refuses a model file that would make onnxruntime read what is not the model's, or run what is not onnxruntime's, before
 * onnxruntime sees it. Reads the file's structure and skips its weights: milliseconds, and memory that does not depend on
 * the model. Throws a Failure, ModelInvalid. Run it in a process of its own: the file may be anybody's.
 * @returns the bytes of the file and of those that it keeps weights in, and which these are
 */
export const checkModelFile = (path: string): { bytes: number; weightFiles: string[] } => {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new Failure("ModelInvalid", `there is no file ${path}`);
  if (!stats.isFile()) throw new Failure("ModelInvalid", `${path} is not a regular file`);
  if (stats.size === 0) throw new Failure("ModelInvalid", `${path} is empty`);
  if (stats.size >= MAX_BYTES) {
    throw new Failure(
      "ModelInvalid",
      `${path} has ${stats.size} bytes; an ONNX file has less than ${MAX_BYTES} (2 GiB): save its weights as external data`,
    );
  }
  const file = openSync(path, "r");
  try {
    const operators = createOperatorCheck();
    const externalData = createExternalDataCheck(path);
    const reader = createReader(file, stats.size);
    walkModel(reader, { ...operators, externalTensor: externalData.check });
    operators.end();
    const model = readInterface(reader);
    checkInterface(model, convertedOutputs(path, model));
    return { bytes: stats.size + externalData.bytes(), weightFiles: externalData.files() };
  } catch (error) {
    if (!(error instanceof MalformedModel)) throw error;
    throw new Failure("ModelInvalid", `${path} is not an ONNX model: ${error.message}`);
  } finally {
    closeSync(file);
  }
};
