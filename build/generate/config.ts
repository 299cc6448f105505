import { join } from "node:path";
import { builtHelm } from "../../test/cluster/index.ts";
import type { Generated } from "./generated.ts";
import { generateKustomize } from "./kustomize.ts";

const ROOT = join(import.meta.dirname, "../..");

/** config/, or nothing while Helm has not been built: the chart's tests, which have it, hold config/ to the chart too. */
export const config = async (): Promise<Generated[]> => {
  const helm = builtHelm();
  if (helm === undefined) {
    console.error('config/ is left out: there is no Helm yet; "npm run cluster -- build" makes it');
    return [];
  }
  return [...(await generateKustomize(ROOT, helm))].map(([path, text]) => ({ path, text }));
};
