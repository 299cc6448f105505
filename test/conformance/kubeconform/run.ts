/** kubeconform, with the schemas that are published: every manifest of ours passes, and each misspelt field is found. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadAll } from "js-yaml";
import { z } from "zod";
import { cacheFolder } from "../cache.ts";
import type { CheckResult } from "../results.ts";
import { misspelt } from "./misspelt.ts";

const ROOT = join(import.meta.dirname, "../../..");
const VERSION = "0.8.0";
const BUILD_MS = 300_000;
const run = promisify(execFile);

const Found = z.looseObject({
  resources: z.array(z.looseObject({ filename: z.string(), status: z.string(), msg: z.string() })).nullish(),
});
const Manifest = z.looseObject({ kind: z.string() });

const ensureProgram = async (report: (line: string) => void): Promise<string> => {
  const program = join(cacheFolder(), `kubeconform-${VERSION}`);
  if (existsSync(program)) return program;
  report("building kubeconform with Go into the cache (once)");
  const build = ["build", "-o", program, "github.com/yannh/kubeconform/cmd/kubeconform"];
  await run("go", build, { cwd: import.meta.dirname, timeout: BUILD_MS });
  return program;
};

/** What it says of each, in their order: undefined, or what is wrong. */
const validate = async (program: string, manifests: readonly object[]): Promise<(string | undefined)[]> => {
  const folder = await mkdtemp(join(tmpdir(), "berth-kubeconform-"));
  try {
    const nameOf = (index: number) => join(folder, `${String(index).padStart(4, "0")}.json`);
    await Promise.all(manifests.map((manifest, index) => writeFile(nameOf(index), JSON.stringify(manifest))));
    const schemas = join(ROOT, "schemas/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json");
    // It ends with 1 where something is invalid.
    const args = ["-output", "json", "-verbose", "-schema-location", schemas, folder];
    const { stdout } = await run(program, args, { maxBuffer: 64 << 20 }).catch((error: unknown) =>
      z.looseObject({ stdout: z.string() }).parse(error),
    );
    const said = new Map(Found.parse(JSON.parse(stdout)).resources?.map((one) => [one.filename, one]));
    return manifests.map((_, index) => {
      const one = said.get(nameOf(index));
      return one?.status === "statusValid" ? undefined : `${one?.status}: ${one?.msg}`;
    });
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** Every ModelDeployment of examples/, and of the documents' code blocks. */
const ours = async (): Promise<{ where: string; manifest: object }[]> => {
  const files = async (folder: string, extension: string) =>
    (await readdir(join(ROOT, folder))).filter((name) => name.endsWith(extension)).map((name) => join(folder, name));
  const paths = ["README.md", ...(await files("docs", ".md")), ...(await files("examples", ".yaml"))];
  const found = await Promise.all(
    paths.map(async (path) => {
      const text = await readFile(join(ROOT, path), "utf8");
      const blocks = path.endsWith(".md")
        ? [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, yaml = ""]) => yaml)
        : [text];
      return blocks.flatMap((yaml) => loadAll(yaml)).map((manifest) => ({ where: path, manifest }));
    }),
  );
  return found.flat().flatMap(({ where, manifest }) => {
    const parsed = Manifest.safeParse(manifest);
    return parsed.success && parsed.data.kind === "ModelDeployment" ? [{ where, manifest: parsed.data }] : [];
  });
};

export const runKubeconform = async (report: (line: string) => void): Promise<CheckResult[]> => {
  const program = await ensureProgram(report);
  const right = await ours();
  // Without these two it knows no schema, which is another error.
  const isInSchema = ({ field }: { field: string }) => field !== "kindd" && field !== "apiVersionn";
  const wrong = right.flatMap(({ manifest, where }) =>
    misspelt(manifest)
      .filter(isInSchema)
      .map((one) => ({ ...one, where })),
  );
  const said = await validate(
    program,
    [...right, ...wrong].map(({ manifest }) => manifest),
  );
  const result = (name: string, bad: string[], good: string): CheckResult => ({
    ...{ suite: "kubeconform", name, ok: bad.length === 0, detail: bad.length === 0 ? good : bad.join("; ") },
  });
  const refused = right.flatMap(({ where }, index) => (said[index] === undefined ? [] : [`${where}: ${said[index]}`]));
  const missed = wrong.flatMap(({ field, where }, index) =>
    said[right.length + index]?.startsWith("statusInvalid") ? [] : [`${where}: ${field} passes`],
  );
  const enough = right.length >= 4 && wrong.length >= 40 ? [] : [`${right.length} manifests, ${wrong.length} fields`];
  return [
    result("the examples and the documents' manifests pass", refused, `${right.length} manifests`),
    result("a misspelt field is found, wherever it is", [...missed, ...enough], `${wrong.length} fields`),
  ];
};
