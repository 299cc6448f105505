/** Files and folders that a page names: targets of its links, and paths in its text. What moves is named anew, or the page leads nowhere. */
import { dirname, normalize } from "node:path/posix";

/** Folders of the repository that paths in a text begin with. */
const ROOTS = [
  "build",
  "charts",
  "config",
  "contract",
  "crds",
  "docs",
  "examples",
  "findings",
  "operator",
  "runtime",
  "schemas",
  "test",
];
const LINK = /\]\(([^)\s]+)\)/g;
const PATH = new RegExp(`\`((?:${ROOTS.join("|")})/[A-Za-z0-9_./-]+)\``, "g");

/** The first cells of a table of old names and new ones tell of what was. */
const withoutOldNames = (text: string): string => {
  let isOld = false;
  return text
    .split("\n")
    .map((line) => {
      isOld = line.startsWith("| was |") || (isOld && line.startsWith("|"));
      return isOld ? line.replace(/^\|[^|]*\|/, "|") : line;
    })
    .join("\n");
};

/** Where they are from the repository's root, without what is behind a "#"; none of other sites. */
export const targetsIn = (page: string, written: string): string[] => {
  const text = withoutOldNames(written);
  const links = [...text.matchAll(LINK)]
    .map(([, target = ""]) => target.replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
    .map((target) => normalize(`${dirname(page)}/${target}`));
  const paths = [...text.matchAll(PATH)].map(([, path = ""]) => normalize(path));
  return [...new Set([...links, ...paths])].map((path) => path.replace(/\/$/, ""));
};

/** One line for each that is not there. In an image, `x.ts` is `x.js`. */
export const lostIn = (page: string, text: string, files: readonly string[]): string[] => {
  const there = new Set(files.flatMap((file) => [file, ...foldersOf(file)]));
  return targetsIn(page, text)
    .filter((target) => !there.has(target) && !there.has(target.replace(/\.js$/, ".ts")))
    .map((target) => `${page} names ${target}, which is not there: name where it is now`);
};

/** "a/b/c": "a" and "a/b". */
const foldersOf = (file: string): string[] => {
  const parts = file.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
};
