import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";

/** A file, and what tells it from any other and from what it is once it was written to. `sha256`: of its bytes, where it is known. */
export type KnownFile = { path: string; identity: string; sha256?: string | undefined };

/** The files as they are now. Throws where one is not there. */
export const knownFiles = (paths: readonly string[]): KnownFile[] =>
  paths.map((path) => ({ path, identity: identityOf(path) ?? missing(path) }));

/**
 * Throws where one of them is not the file that it was: what loads must be what was checked. Another file with the very same
 * bytes is as good, where these are known. Returns them as they are now, to be looked at again when they have been read.
 */
export const assertSame = (files: readonly KnownFile[]): KnownFile[] =>
  files.map(({ path, identity, sha256 }) => {
    const now = identityOf(path);
    if (now === undefined) return missing(path);
    if (now === identity || (sha256 !== undefined && digestOf(path) === sha256)) return { path, identity: now };
    throw new Error(`${path} is not the file that was checked: it was replaced or written to; start the server anew`);
  });

/** ctime, which nobody can set, tells of a write whose mtime was put back, and of a file that was moved away and back. */
const identityOf = (path: string): string | undefined => {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(":");
};

const digestOf = (path: string): string => {
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafe(1024 ** 2);
  const file = openSync(path, "r");
  try {
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece))
      hash.update(piece.subarray(0, count));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
};

const missing = (path: string): never => {
  throw new Error(`there is no file ${path} any more`);
};
