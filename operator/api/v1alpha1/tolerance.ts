/** `spec.rollout.analysis.outputs.tolerances`: when two values of an output count as the same. */
import { z } from "zod";
import { rules } from "./fields.ts";

const toleranceSchema = z
  .object({
    output: z.string().min(1).max(128).describe("Name of the output."),
    match: z
      .enum(["equal", "close", "topK", "cosine"])
      .describe(
        "`equal`: the same numbers or strings. `close`: each element differs by no more than `absolute` + `relative` × stable's. `topK`: stable's " +
          "first class is among the new revision's first `k`, along the last axis. `cosine`: along the last axis, the cosine of the angle is at least `least`: embeddings.",
      ),
    k: z.int32().min(1).max(1000).optional().describe("Of `topK`. Default 1: both name the same class."),
    absolute: z
      .string()
      .min(1)
      .max(24)
      .regex(/^[0-9]+([.][0-9]+)?(e-?[0-9]{1,3})?$/)
      .optional()
      .describe('Of `close`. A number in quotes, such as `"0.001"` (the default) or `1e-5`.'),
    relative: z
      .string()
      .min(2)
      .max(12)
      .regex(/^[0-9]{1,3}([.][0-9]{1,6})?%$/)
      .optional()
      .describe("Of `close`. A percentage of stable's value. Default `1%`."),
    least: z
      .string()
      .min(2)
      .max(12)
      .regex(/^[0-9]{1,2}([.][0-9]{1,6})?%$|^100%$/)
      .optional()
      .describe("Of `cosine`. A percentage: 100% is the same direction. Default `99%`."),
  })
  .meta(
    rules(
      {
        rule: "!has(self.k) || self.match == 'topK'",
        message: "spec.rollout.analysis.outputs.tolerances[].k: only with match topK; set it or remove k",
      },
      {
        rule: "!(has(self.absolute) || has(self.relative)) || self.match == 'close'",
        message:
          "spec.rollout.analysis.outputs.tolerances[]: absolute and relative only with match close; set it or remove them",
      },
      {
        rule: "!has(self.least) || self.match == 'cosine'",
        message: "spec.rollout.analysis.outputs.tolerances[].least: only with match cosine; set it or remove least",
      },
    ),
  );

export const toleranceListSchema = z
  .array(toleranceSchema)
  .max(64)
  .describe(
    "By output. Without one, floating point numbers must be close (0.001 and 1%, which covers FP16 and other execution providers), and all else equal.",
  )
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["output"] });

export type OutputTolerance = z.output<typeof toleranceSchema>;
