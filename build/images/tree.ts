/** `node build/images/tree.ts IMAGE DIR`: writes an image's /app below DIR. The Dockerfile takes it from here, so that both builds hold the same files. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { CATALOGUE, IMAGE_NAMES } from "./catalogue.ts";
import { codeEntries, packageEntries, packageVersion } from "./contents.ts";
import type { Entry } from "./tar.ts";

/** Files only: folders follow from them. */
export const writeTree = async (entries: readonly Entry[], folder: string): Promise<void> => {
  for (const entry of entries) {
    if (entry.kind !== "file") throw new Error(`writeTree: ${entry.path} is a ${entry.kind}`);
    const path = join(folder, entry.path);
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await writeFile(path, entry.content, { mode: entry.mode });
  }
};

const main = async (wanted: string | undefined, folder: string | undefined): Promise<void> => {
  const name = IMAGE_NAMES.find((known) => known === wanted);
  if (name === undefined || folder === undefined) throw new Error("usage: node build/images/tree.ts IMAGE DIR");
  const root = resolve(import.meta.dirname, "../..");
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  await writeTree(await packageEntries(root, CATALOGUE[name], arch), folder);
  await writeTree(await codeEntries(root, CATALOGUE[name], await packageVersion(root)), folder);
};

if (import.meta.main) await main(process.argv[2], process.argv[3]);
