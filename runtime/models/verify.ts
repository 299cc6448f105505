import { statSync } from "node:fs";
import { Failure } from "../termination.ts";

/** The largest protobuf message; a larger model needs external data. */
const MAX_BYTES = 2 * 1024 ** 3;

/** Refuses what is no single-file model before onnxruntime sees it. */
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
};
