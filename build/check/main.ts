/**
 * `npm run check`: everything about the sources that can be known without running them. Each part prints one line,
 * and its findings when there are any; the exit status is 1 if any part found something.
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { violations } from "./arrows.ts";
import { circlesIn } from "./circles.ts";
import { readsOfTheClock } from "./clock.ts";
import { ideasInEngine } from "./engine.ts";
import { filesOf, importsOf, sourcesOf } from "./imports.ts";
import { lostIn } from "./links.ts";
import { isReadme, lostInTables, withoutReadme } from "./readmes.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

type Part = { name: string; run: () => Promise<string> };

/** Runs a program in the repository's root; resolves with its output if it failed, and with "" if it did not. */
const complaintsOf = (command: string, args: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve(code === 0 ? "" : output || `${command} ended with ${code}`));
  });

const inSources = async (findings: (file: string, source: string) => string[]): Promise<string> => {
  const found: string[] = [];
  for (const file of await sourcesOf(root)) {
    found.push(...findings(file, await readFile(join(root, file), "utf8").catch(() => "")));
  }
  return found.join("\n");
};

const lostNames = async (): Promise<string> => {
  const files = await filesOf(root, "*");
  const found: string[] = [];
  for (const page of files.filter((file) => file.endsWith(".md"))) {
    found.push(...lostIn(page, await readFile(join(root, page), "utf8").catch(() => ""), files));
  }
  return found.join("\n");
};

const readmes = async (): Promise<string> => {
  const files = await filesOf(root, "*");
  const found = withoutReadme(files);
  for (const page of files.filter(isReadme)) {
    found.push(...lostInTables(page, await readFile(join(root, page), "utf8").catch(() => ""), files));
  }
  return found.join("\n");
};

const bin = (name: string) => join(root, "node_modules/.bin", name);

const parts: readonly Part[] = [
  { name: "types (tsc)", run: () => complaintsOf(bin("tsc"), ["--pretty", "false"]) },
  { name: "lint and format (biome)", run: () => complaintsOf(bin("biome"), ["ci", "--colors=off", "."]) },
  { name: "import arrows", run: async () => violations(await importsOf(root)).join("\n") },
  {
    name: "import circles",
    run: async () =>
      circlesIn(await importsOf(root))
        .map((files) => `a circle: ${files.join(", ")}`)
        .join("\n"),
  },
  { name: "one clock", run: () => inSources(readsOfTheClock) },
  { name: "the engine knows nothing of Berth", run: () => inSources(ideasInEngine) },
  { name: "pages name what is there", run: lostNames },
  { name: "each folder has a README", run: readmes },
  {
    name: "generated files are current",
    run: () => complaintsOf(process.execPath, [join(root, "build/generate/main.ts"), "--check"]),
  },
];

if (process.argv.includes("--help")) {
  console.log(`npm run check: ${parts.map(({ name }) => name).join(", ")}`);
  process.exit(0);
}

const results = await Promise.all(
  parts.map(async ({ name, run }) => {
    const started = performance.now();
    const complaints = await run();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${complaints === "" ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    if (complaints !== "") console.log(complaints.trimEnd());
    return complaints === "";
  }),
);
process.exit(results.every(Boolean) ? 0 : 1);
