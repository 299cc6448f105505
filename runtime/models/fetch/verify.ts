import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { formatBytes } from "../../../contract/bytes.ts";
import { Failure } from "../../errors/termination.ts";

/** What the model's bytes must be: its spec's checksum, and what this revision was first proved with. Both `sha256` in hex. */
export type Expected = { sha256: string | undefined; pin: string | undefined };

/** The pinned digest in `file` ("sha256:<hex>"); undefined where nothing is pinned yet. */
export const readPin = (file: string | undefined): string | undefined => {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const hex = /^sha256:([0-9a-f]{64})$/.exec(text)?.[1];
  if (hex === undefined)
    throw new Failure("ModelChanged", `the pin in ${file} is not "sha256:" and 64 hexadecimal digits`);
  return hex;
};

export const checkDigest = (hex: string, bytes: number, expected: Expected): void => {
  if (expected.sha256 !== undefined && hex !== expected.sha256) {
    throw new Failure(
      "ChecksumMismatch",
      `the checksum of the model is wrong: spec.model.sha256 is ${expected.sha256}, the ${formatBytes(bytes)} (${bytes}) that were fetched have ${hex}; correct one of the two`,
    );
  }
  if (expected.pin !== undefined && hex !== expected.pin) {
    throw new Failure(
      "ModelChanged",
      `the bytes behind the model's URI have changed: this revision was proved with sha256:${expected.pin}, now it has sha256:${hex}. ` +
        "To serve the new bytes, set spec.model.sha256 to their digest, or give them another URI",
    );
  }
};

/** SHA-256 (hex) and size of a file; undefined where there is none. */
export const hashFile = async (path: string): Promise<{ hex: string; bytes: number } | undefined> => {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 })) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch {
    return undefined;
  }
  return { hex: hash.digest("hex"), bytes };
};
