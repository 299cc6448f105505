import { lstatSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../errors/termination.ts";
import type { ExternalTensor } from "./model-file/walk.ts";
import { quoted } from "./operators.ts";

/** Bits of an element by TensorProto.DataType. Strings (8) have no fixed size, and so cannot be external. */
const BITS: Readonly<Record<number, number>> = {
  ...{ 1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16 },
  // float8, (u)int4, float4, float8e8m0, (u)int2
  ...{ 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2 },
};

const KEYS: ReadonlySet<string> = new Set(["location", "offset", "length", "checksum"]);
/** Files besides the model's own. */
const MAX_FILES = 10_000;

export type ExternalDataCheck = {
  /** Throws a Failure, ModelInvalid. */
  check(tensor: ExternalTensor): void;
  /** Of all files that tensors were in. */
  bytes(): number;
  /** Those files. */
  files(): string[];
};

/**
 * Lets external data pass only where reading them cannot reach beyond the model's own files: a regular file below the
 * folder of the model at `path`, by a relative path without links, and a range in it that is the tensor.
 */
export const createExternalDataCheck = (path: string): ExternalDataCheck => {
  const folder = dirname(path);
  const sizes = new Map<string, number>();

  const check = (tensor: ExternalTensor): void => {
    const fail = (why: string): Failure =>
      new Failure("ModelInvalid", `tensor ${quoted(tensor.name)}: its external data ${why}`);
    for (const key of tensor.entries.keys()) {
      if (!KEYS.has(key)) throw fail(`have the unknown key ${quoted(key)}`);
    }
    const location = tensor.entries.get("location");
    if (location === undefined || location === "") throw fail("have no location");
    const unsafe = unsafeLocation(location);
    if (unsafe !== undefined) throw fail(`are in ${quoted(location)}, ${unsafe}; put the file beside the model`);

    let size = sizes.get(location);
    if (size === undefined) {
      if (sizes.size >= MAX_FILES) throw fail(`are in one of more than ${MAX_FILES} files`);
      const file = plainFile(folder, location);
      if (typeof file === "string") throw fail(`are in ${quoted(location)}, ${file}`);
      size = file.size;
      sizes.set(location, size);
    }

    const bits = BITS[tensor.dataType];
    if (bits === undefined) throw fail(`have the element type ${tensor.dataType}, whose size is not fixed`);
    if (!Number.isSafeInteger(tensor.elements * bits)) throw fail("have too many elements, or a dimension below 0");
    const bytes = Math.ceil((tensor.elements * bits) / 8);
    const offset = number(tensor.entries.get("offset") ?? "0");
    const length = number(tensor.entries.get("length") ?? String(bytes));
    if (offset === undefined || length === undefined)
      throw fail("have an offset or length that is not a number of bytes");
    if (length !== bytes) throw fail(`have ${length} bytes; its shape and type need ${bytes}`);
    if (offset + length > size) {
      throw fail(`go from byte ${offset} to ${offset + length} of ${quoted(location)}, which has ${size} bytes`);
    }
  };
  return {
    check,
    bytes: () => sizes.values().reduce((sum, size) => sum + size, 0),
    files: () => [...sizes.keys()].map((location) => join(folder, location)),
  };
};

const number = (text: string): number | undefined => {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
};

/** Why a location is not taken, or undefined. onnxruntime takes one with _ORT_MEM_ADDR_ for an address in its memory. */
const unsafeLocation = (location: string): string | undefined => {
  if (location.includes("MEM_ADDR_") || location.includes("*")) return "which is an address in memory and no file";
  // U+FFFD is what other bytes than UTF-8 become: the file would be another one.
  if (/[\0\\\ufffd]/.test(location)) return "which has characters that no path here has";
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(location)) return "which is a URL";
  if (location.startsWith("/")) return "which is an absolute path";
  if (/(^|\/)\.?$/.test(location)) return "which is not a file";
  if (location.split("/").includes("..")) return "which leads out of the model's folder";
  return undefined;
};

/** Exporters of PyTorch write the weights to a second file without being asked, which is easily left behind. */
const NOT_THERE =
  "which is not there: put the file beside the model, or keep the weights in the model (torch.onnx.export with external_data=False, or onnx.save(onnx.load(file), file)), as a pod must, which fetches one file";

/** The file at `location` below `folder`, or why it is not taken. No step on the way may be a link. */
const plainFile = (folder: string, location: string): { size: number } | string => {
  const steps = location.split("/").filter((step) => step !== "" && step !== ".");
  let path = folder;
  for (const [i, step] of steps.entries()) {
    path = join(path, step);
    // A name that is too long, or a file where a folder should be, throws even so.
    const stats = attempt(() => lstatSync(path, { throwIfNoEntry: false }));
    if (stats === undefined) return NOT_THERE;
    if (stats.isSymbolicLink()) return "which is a symbolic link or behind one; put the file itself there";
    if (i < steps.length - 1) {
      if (!stats.isDirectory()) return NOT_THERE;
    } else if (!stats.isFile()) return "which is not a regular file";
    else if (stats.nlink > 1) return "which has other names (hard links); put a copy there";
    else return { size: stats.size };
  }
  return "which is not a file";
};

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read();
  } catch {
    return undefined;
  }
};
