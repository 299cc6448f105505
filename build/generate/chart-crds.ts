/** The chart's copy of the CRDs: byte for byte those in crds/. The chart's template adds the annotation that keeps them. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** By path below the repository's root. */
export const generateChartCrds = async (root: string): Promise<Map<string, string>> => {
  const names = (await readdir(join(root, "crds"))).filter((name) => name.endsWith(".yaml")).sort();
  if (names.length === 0) throw new Error("crds/ has no YAML: generate it first");
  const copies = names.map(
    async (name): Promise<[string, string]> => [
      `charts/berth/files/crds/${name}`,
      await readFile(join(root, "crds", name), "utf8"),
    ],
  );
  return new Map(await Promise.all(copies));
};
