/** Stacks in the words of the sources: an image holds the operator as one file, with a map beside it (`build/images/bundled.ts`). */
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";

type Place = { file: string; line: number };
/** Where a place of the program was written; both count from 1. */
export type Find = (line: number, column: number) => Place | undefined;

/** `at f (/app/operator/main.js:10:5)` becomes `at f (operator/apply/drift.ts:3)`, for the frames of this program. */
export const withSources = (stack: string, program: string, find: Find): string =>
  stack.replaceAll(/([^\s(]+):(\d+):(\d+)(?=\)?$)/gm, (whole, file: string, line: string, column: string) => {
    const found = file === program ? find(Number(line), Number(column)) : undefined;
    return found === undefined ? whole : `${found.file}:${found.line}`;
  });

/** By the map beside the program, which is read with the first stack; without one, nothing is found. */
export const mapBeside = (program: string): Find => {
  let map: SourceMap | undefined;
  let isRead = false;
  return (line, column) => {
    if (!isRead) map = readMap(`${program}.map`);
    isRead = true;
    const entry = map?.findEntry(line - 1, column - 1);
    return entry !== undefined && "originalSource" in entry
      ? { file: entry.originalSource, line: entry.originalLine + 1 }
      : undefined;
  };
};

const readMap = (path: string): SourceMap | undefined => {
  try {
    return new SourceMap(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
};
