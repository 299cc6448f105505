/** What the sources import from each other: what arrows, circles and the picture of the architecture are made from. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { type Import, specifiersOf } from "./arrows.ts";

/** Files that are tracked, or are to be. @param pattern as git takes it */
export const filesOf = async (root: string, pattern: string): Promise<string[]> => {
  const listed = await promisify(execFile)("git", ["ls-files", "-co", "--exclude-standard", "--", pattern], {
    cwd: root,
  });
  return listed.stdout.split("\n").filter((file) => file !== "");
};

/** TypeScript files, tests aside. */
export const sourcesOf = async (root: string): Promise<string[]> =>
  (await filesOf(root, "*.ts")).filter((file) => !file.endsWith(".test.ts"));

/** `to` is a path from the root, or a package's name. */
export const importsOf = async (root: string): Promise<Import[]> => {
  const imports: Import[] = [];
  for (const from of await sourcesOf(root)) {
    // one that was deleted and is still tracked imports nothing
    const source = await readFile(join(root, from), "utf8").catch(() => "");
    for (const specifier of specifiersOf(source)) {
      imports.push({ from, to: specifier.startsWith(".") ? normalize(join(dirname(from), specifier)) : specifier });
    }
  }
  return imports;
};
