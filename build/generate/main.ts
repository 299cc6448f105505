/**
 * Writes every generated file of the repository; `--check` writes nothing and fails, naming the
 * files that are out of date. To generate another file, add its generator to the list.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { apiReference } from "./api-reference.ts";
import { crds } from "./crds.ts";
import type { Generated } from "./generated.ts";
import { troubleshooting } from "./troubleshooting.ts";

const generators: (() => Generated[])[] = [crds, apiReference, troubleshooting];

const root = join(import.meta.dirname, "../..");
const check = process.argv.includes("--check");

const current = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(join(root, path), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
};

const outdated: Generated[] = [];
for (const file of generators.flatMap((generate) => generate())) {
  if ((await current(file.path)) !== file.text) outdated.push(file);
}

if (check) {
  for (const { path } of outdated) console.error(`${path}: out of date; run "npm run generate"`);
  process.exitCode = outdated.length > 0 ? 1 : 0;
} else {
  for (const { path, text } of outdated) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    console.log(`wrote ${path}`);
  }
}
