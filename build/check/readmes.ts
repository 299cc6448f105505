/** Each folder has a README whose tables say what is in it, so that a newcomer finds the way from any of them. */
import { dirname, normalize } from "node:path/posix";

/** Every folder below one of these. */
const ROOTS = ["build", "contract", "operator", "runtime", "test"];
/** Folders without a README, and why. */
const EXEMPT: Readonly<Record<string, string>> = {
  "test/bench/peers/bentoml": "one server, named in test/bench/peers/README.md",
  "test/bench/peers/fastapi": "one server, named in test/bench/peers/README.md",
  "test/bench/peers/kserve": "one server, named in test/bench/peers/README.md",
  "test/bench/peers/litserve": "one server, named in test/bench/peers/README.md",
  "test/bench/peers/mlserver": "one server, named in test/bench/peers/README.md",
  "test/bench/peers/triton": "one server, named in test/bench/peers/README.md",
  "test/fixtures/evidence": "one file, named in test/fixtures/README.md",
};

/** A file or folder as a table names it: `plan.ts`, `children/`, `../domain/rollout/`, `shadow/read-*.ts`. */
const NAME = /`((?:\.\.\/)*[\w-][\w.*-]*(?:\/[\w.*-]+)*(?:\/|\.(?:go|json|lua|md|mod|proto|py|sh|ts|txt|yaml)))`/g;

const foldersOf = (file: string): string[] => {
  const parts = file.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
};

/** One line for each folder that has no README and is not exempt, and for each exemption that exempts nothing. @param files from the root */
export const withoutReadme = (files: readonly string[], exempt = EXEMPT): string[] => {
  const there = new Set(files);
  const folders = new Set(files.flatMap(foldersOf).filter((folder) => ROOTS.includes(folder.split("/")[0] ?? "")));
  const lacking = [...folders].filter((folder) => !there.has(`${folder}/README.md`) && !(folder in exempt)).toSorted();
  const idle = Object.keys(exempt).filter((folder) => !folders.has(folder) || there.has(`${folder}/README.md`));
  return [
    ...lacking.map((folder) => `${folder} has no README.md: say in two lines and a table what is in it`),
    ...idle.map((folder) => `${folder} needs no exemption any more: remove it from build/check/readmes.ts`),
  ];
};

/** What the tables of a README name, as paths from the root: a path of the README's folder, or from the root where one begins so. */
const namedIn = (page: string, text: string): [written: string, paths: string[]][] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .flatMap((line) => [...line.matchAll(NAME)])
    .map(([, name = ""]) => [
      name,
      [`${dirname(page)}/${name}`, name].map((path) => normalize(path).replace(/\/$/, "")),
    ]);

const matches = (pattern: string, path: string): boolean =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`).test(path);

/** One line for each name in a README's tables that is not there, or one where they name nothing at all. */
export const lostInTables = (page: string, text: string, files: readonly string[]): string[] => {
  const there = new Set(files.flatMap((file) => [file, ...foldersOf(file)]));
  const isThere = (path: string): boolean =>
    path.includes("*") ? files.some((file) => matches(path, file)) : there.has(path);
  const named = namedIn(page, text);
  if (named.length === 0) return [`${page} has no table of its files and folders: add one`];
  return named
    .filter(([, paths]) => !paths.some(isThere))
    .map(([written]) => `${page} names ${written}, which is not there: name where it is now`);
};

export const isReadme = (file: string): boolean =>
  file.endsWith("/README.md") && ROOTS.includes(file.split("/")[0] ?? "");
