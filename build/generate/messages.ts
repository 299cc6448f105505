/** Golden files of all messages, for those who review a change of words. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { chartMessages } from "../messages/chart.ts";
import { messagesOf } from "../messages/messages.ts";
import { written } from "../messages/written.ts";
import type { Generated } from "./generated.ts";

const root = join(import.meta.dirname, "../..");

/** Files that git has or would take, but for tests, by their paths. */
const textsOf = async (...patterns: string[]): Promise<Record<string, string>> => {
  const { stdout } = await promisify(execFile)("git", ["ls-files", "-co", "--exclude-standard", "--", ...patterns], {
    cwd: root,
  });
  const paths = stdout.split("\n").filter((path) => path !== "" && !path.endsWith(".test.ts"));
  // a file that was removed a moment ago is listed until that is staged
  const texts = paths.map(async (path) => [path, await readFile(join(root, path), "utf8").catch(() => "")] as const);
  return Object.fromEntries(await Promise.all(texts));
};

export const messages = async (): Promise<Generated[]> => {
  const all = messagesOf(await textsOf("contract/*.ts", "operator/*.ts", "runtime/*.ts"));
  const below = (folder: string) => all.filter(({ path }) => path.startsWith(`${folder}/`));
  const chart = chartMessages(await textsOf("charts/*/templates/*"));
  return [
    {
      path: "test/golden/operator-messages.txt",
      text: written([...chart, ...below("contract"), ...below("operator")]),
    },
    { path: "test/golden/runtime-messages.txt", text: written(below("runtime")) },
  ];
};
