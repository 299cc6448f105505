/** `spec.rollout.analysis.outputs.tolerances`: the contract's, with the rules that the API server checks. */
import { z } from "zod";
import { MOST_TOLERANCES, toleranceSchema } from "../../../contract/tolerance.ts";
import { rules } from "./fields.ts";

const ruledSchema = toleranceSchema.meta(
  rules(
    {
      rule: "!has(self.k) || self.match == 'topK'",
      message: "spec.rollout.analysis.outputs.tolerances[].k: needs match topK; set that, or remove k",
    },
    {
      rule: "!(has(self.absolute) || has(self.relative)) || self.match == 'close'",
      message:
        "spec.rollout.analysis.outputs.tolerances[]: absolute and relative need match close; set that, or remove them",
    },
    {
      rule: "!has(self.least) || self.match == 'cosine'",
      message: "spec.rollout.analysis.outputs.tolerances[].least: needs match cosine; set that, or remove least",
    },
  ),
);

export const toleranceListSchema = z
  .array(ruledSchema)
  .max(MOST_TOLERANCES)
  .describe(
    "Tolerance of each output. Default: floating-point numbers must be close (0.001 absolute and 1% relative, which covers FP16 and " +
      "other execution providers), and other values must be equal.",
  )
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["output"] });
