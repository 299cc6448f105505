/**
 * The locale en_US.UTF-8, by which onnxruntime turns letters into small ones: the text models of scikit-learn do not load
 * without it. It is the C.UTF-8 that glibc's own package brings along, under that name: of its categories onnxruntime uses the
 * classes of characters alone, LC_CTYPE, and these are the same file byte for byte (Debian 12; a test compares the letters).
 * So no build needs the sources of locales, which are a package of their own.
 *
 * `node build/images/locale.ts DIR` writes it below DIR, for the Dockerfile.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Entry } from "./tar.ts";
import { writeTree } from "./tree.ts";

const FOLDER = "usr/lib/locale";
/** Where glibc looks for en_US.UTF-8 by itself; a model may also say en_US. */
const NAMES = ["en_US.utf8", "en_US"];
/** Of Debian 12 and newer and Ubuntu, of Debian 11, and of an image that was made here. */
const SOURCES = ["C.utf8", "C.UTF-8", "en_US.utf8"];

export const localeEntries = async (folder = `/${FOLDER}`): Promise<Entry[]> => {
  const source = await firstFolder(SOURCES.map((name) => join(folder, name)));
  if (source === undefined) throw new Error(`there is no C.utf8 in ${folder}: is libc-bin installed?`);
  const files = (await readdir(source, { recursive: true, withFileTypes: true })).filter((item) => item.isFile());
  const entries: Entry[] = [];
  for (const item of files) {
    const file = join(item.parentPath, item.name);
    const content = await readFile(file);
    for (const name of NAMES)
      entries.push({ path: `${FOLDER}/${name}/${relative(source, file)}`, kind: "file", mode: 0o644, content });
  }
  return entries;
};

const firstFolder = async (folders: readonly string[]): Promise<string | undefined> => {
  for (const folder of folders) {
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory() === true) return folder;
  }
  return undefined;
};

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error("usage: node build/images/locale.ts DIR");
  await writeTree(await localeEntries(), folder);
}
