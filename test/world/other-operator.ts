/** The image of an operator that differs from this one as a later version would: the same sources, with a change. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImages } from "../../build/images/build.ts";
import { ROOT } from "./index.ts";

/** In `file`, `from` becomes `to`; it must be there. */
export type Change = { file: string; from: string; to: string };

/** Builds localhost/berth-operator:`version`; resolves with the archive, which `use` may read until it is done. */
export const withOtherOperator = async <T>(
  version: string,
  changes: readonly Change[],
  use: (archive: string) => Promise<T>,
): Promise<T> => {
  if (process.arch !== "x64" && process.arch !== "arm64") throw new Error(`no image is built on ${process.arch}`);
  const root = mkdtempSync(join(tmpdir(), "berth-other-"));
  try {
    for (const name of ["contract", "operator", "package.json", "package-lock.json"]) {
      cpSync(join(ROOT, name), join(root, name), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    for (const { file, from, to } of changes) {
      const text = readFileSync(join(root, file), "utf8");
      if (!text.includes(from)) throw new Error(`${file} has no "${from}"`);
      writeFileSync(join(root, file), text.replace(from, to));
    }
    const out = join(root, "out");
    await buildImages(["operator"], { root, out, version, arch: process.arch, created: "1970-01-01T00:00:00Z" });
    return await use(join(out, "berth-operator.tar"));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
};
