/**
 * Writes every generated file of the repository; `--check` writes nothing and fails, naming the
 * files that are out of date. To generate another file, add its generator to the list.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArguments } from "../parse-arguments.ts";
import { apiReference } from "./api-reference.ts";
import { chartCrds } from "./chart-crds.ts";
import { config } from "./config.ts";
import { crds } from "./crds.ts";
import type { Generated } from "./generated.ts";
import { jsonSchemas } from "./json-schemas.ts";
import { messages } from "./messages.ts";
import { ownCode } from "./own-code.ts";
import { picture } from "./picture.ts";
import { troubleshooting } from "./troubleshooting.ts";
import { versions } from "./versions.ts";

/** In this order: the chart copies what is in crds/, and config/ is rendered from the chart. */
const generators: (() => Generated[] | Promise<Generated[]>)[] = [
  crds,
  apiReference,
  jsonSchemas,
  troubleshooting,
  versions,
  picture,
  ownCode,
  chartCrds,
  config,
  messages,
];

const root = join(import.meta.dirname, "../..");
const {
  values: { check, help },
} = parseArguments("npm run generate --", {
  options: { check: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
});
if (help) {
  console.log(`npm run generate: CRDs, JSON schemas, references and the picture in docs/, the chart's CRDs, config/ and the lists of messages from their sources
  --check   writes nothing, and fails where a file is out of date`);
  process.exit(0);
}

const current = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(join(root, path), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
};

for (const generate of generators) {
  for (const { path, text } of await generate()) {
    if ((await current(path)) === text) continue;
    if (check) {
      console.error(`${path}: out of date; run "npm run generate"`);
      process.exitCode = 1;
    } else {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
      console.log(`wrote ${path}`);
    }
  }
}
