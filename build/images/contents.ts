/** What lies below /app: the packages that an image needs, pruned, and its code without its types, or as one file. */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { z } from "zod";
import { bundled } from "./bundled.ts";
import { closure, packageName, parseLock } from "./closure.ts";
import { missingImports } from "./imports.ts";
import { type Arch, needed, neverLoaded } from "./prune.ts";
import { stripped, strippedPath } from "./stripped.ts";
import type { Entry } from "./tar.ts";

/**
 * Every path is relative to the repository's root; `code` are folders, `entry` is the program in one of them. `oneFile`: it is bundled, but
 * for the packages `apart`.
 */
export type Contents = {
  packages: readonly string[];
  code: readonly string[];
  entry: string;
  oneFile?: { apart: readonly string[] };
};

export const packageVersion = async (root: string): Promise<string> =>
  z.object({ version: z.string() }).parse(JSON.parse(await readFile(join(root, "package.json"), "utf8"))).version;

/** The dependencies: `app/node_modules/…`. */
export const packageEntries = async (root: string, contents: Contents, arch: Arch): Promise<Entry[]> => {
  const lock = parseLock(await readFile(join(root, "package-lock.json"), "utf8"));
  const folders = closure(lock, contents.packages, neverLoaded);
  const entries = await Promise.all(folders.map((folder) => packageFiles(root, folder, arch)));
  return entries.flat();
};

const packageFiles = async (root: string, folder: string, arch: Arch): Promise<Entry[]> => {
  const name = packageName(folder);
  // Packages within a package have entries of their own.
  const own = (await filesBelow(join(root, folder))).filter((path) => !path.startsWith("node_modules/"));
  const files = own.filter((path) => needed(name, path, arch));
  if (!files.includes("package.json")) throw new Error(`${folder} is not installed: run npm install`);
  return await read(
    root,
    files.map((path) => `${folder}/${path}`),
  );
};

/** The code: `app/operator/main.js` and so on, with the little of package.json that Node reads. */
export const codeEntries = async (root: string, contents: Contents, version: string): Promise<Entry[]> => {
  const paths = new Set<string>();
  for (const folder of contents.code)
    for (const path of await filesBelow(join(root, folder)))
      if ((path.endsWith(".ts") && !path.endsWith(".test.ts")) || path.endsWith(".proto"))
        paths.add(`${folder}/${path}`);
  if (!paths.has(contents.entry)) throw new Error(`the image starts ${contents.entry}, and there is no such file`);
  const entries = (await read(root, paths)).map(withoutTypes);
  const missing = missingImports(sourcesOf(entries), new Set(contents.packages));
  if (missing.length > 0) throw new Error(`the image of ${contents.entry} would not run:\n  ${missing.join("\n  ")}`);
  const { entry, oneFile } = contents;
  const type = oneFile === undefined ? "module" : "commonjs";
  const manifest = fileOf("package.json", Buffer.from(`${JSON.stringify({ name: "berth", version, type })}\n`));
  return [manifest, ...(oneFile === undefined ? entries : await bundleEntries(root, entry, oneFile.apart))];
};

const bundleEntries = async (root: string, entry: string, apart: readonly string[]): Promise<Entry[]> => {
  const { code, map } = await bundled(root, entry, apart);
  const path = strippedPath(entry);
  return [fileOf(path, code), fileOf(`${path}.map`, map)];
};

const fileOf = (path: string, content: Uint8Array): Entry => ({
  path: `app/${path}`,
  kind: "file",
  mode: 0o644,
  content,
});

const withoutTypes = (entry: Entry): Entry =>
  entry.kind === "file" && entry.path.endsWith(".ts")
    ? { ...entry, path: strippedPath(entry.path), content: Buffer.from(stripped(textOf(entry))) }
    : entry;

const sourcesOf = (entries: readonly Entry[]): Map<string, string> =>
  new Map(
    entries.filter(({ path }) => path.endsWith(".js")).map((found) => [found.path.slice("app/".length), textOf(found)]),
  );

const textOf = (entry: Entry): string => (entry.kind === "file" ? Buffer.from(entry.content).toString("utf8") : "");

/** One after the other: a package can have more files than a process may open (often 1024). */
const read = async (root: string, paths: Iterable<string>): Promise<Entry[]> => {
  const entries: Entry[] = [];
  for (const path of paths) entries.push(fileOf(path, await readFile(join(root, path))));
  return entries;
};

const filesBelow = async (folder: string): Promise<string[]> => {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new Error(`${folder} is missing; if it is a package, run npm install`, { cause });
  });
  return found
    .filter((item) => item.isFile())
    .map((item) => relative(folder, join(item.parentPath, item.name)))
    .sort();
};
