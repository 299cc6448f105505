import { statfs } from "node:fs/promises";
import { formatBytes } from "../../../contract/bytes.ts";
import { Failure } from "../../errors/termination.ts";

/** How many bytes a model may have: what is free in `directory`, and not more than `limit`. */
export const roomFor = async (directory: string, limit: number | undefined): Promise<number> => {
  const { bavail, bsize } = await statfs(directory);
  return Math.min(bavail * bsize, limit ?? Number.POSITIVE_INFINITY);
};

/** @param needed undefined where the server did not say how large the model is */
export const diskFull = (needed: number | undefined, available: number): Failure =>
  new Failure(
    "DiskFull",
    `the model needs ${needed === undefined ? `more than ${formatBytes(available)}` : formatBytes(needed)}, and ${formatBytes(available)} is free; ` +
      "raise spec.resources.limits.ephemeral-storage, or use a smaller model",
  );

export const isNoSpace = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
