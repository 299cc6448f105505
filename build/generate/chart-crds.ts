/** The chart's copy of the CRDs: byte for byte those in crds/. The chart's template adds the annotation that keeps them. */
import { basename } from "node:path";
import { crds } from "./crds.ts";
import type { Generated } from "./generated.ts";

export const chartCrds = (): Generated[] =>
  crds().map(({ path, text }) => ({ path: `charts/berth/files/crds/${basename(path)}`, text }));
