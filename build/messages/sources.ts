/**
 * Sources as syntax trees, by the parser of the TypeScript that is installed (its API is marked as unstable; package.json pins the version). No
 * types are looked up, and no file is read but those that are given.
 */

import type { SourceFile } from "typescript/unstable/ast";
import { createVirtualFileSystem } from "typescript/unstable/fs";
import { API } from "typescript/unstable/sync";

/** A folder that exists nowhere else: nothing is read from the disk. */
const ROOT = "/sources";
const CONFIG = `${ROOT}/tsconfig.json`;
const OPTIONS = { noLib: true, noResolve: true, types: [], noEmit: true };

/** `read` with each file's tree, in the order of their paths; `sources` are texts by path. */
export const eachTree = <T>(
  sources: Readonly<Record<string, string>>,
  read: (path: string, tree: SourceFile) => T,
): T[] => {
  const files = Object.entries(sources).map(([path, text]): [string, string] => [`${ROOT}/${path}`, text]);
  const config = JSON.stringify({ compilerOptions: OPTIONS, include: ["**/*"] });
  const api = new API({ cwd: ROOT, fs: createVirtualFileSystem(Object.fromEntries([...files, [CONFIG, config]])) });
  try {
    const program = api.updateSnapshot({ openProjects: [CONFIG] }).getProjects()[0]?.program;
    return Object.keys(sources)
      .toSorted()
      .map((path) => {
        const tree = program?.getSourceFile(`${ROOT}/${path}`);
        if (tree === undefined) throw new Error(`${path}: the TypeScript parser returned no tree`);
        return read(path, tree);
      });
  } finally {
    api.close();
  }
};
