/** `spec.rollout.analysis.outputs.tolerances[]`: when two values of an output count as the same. */
import { z } from "zod";

export const MOST_TOLERANCES = 64;

export const toleranceSchema = z.object({
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
});

export type OutputTolerance = z.output<typeof toleranceSchema>;

/**
 * What onnxruntime's execution providers, and one model in FP32 and FP16, differ by; far less than what another model does.
 * FP16 has 11 significant bits, a relative 5e-4 for each operation.
 */
export const CLOSE = { kind: "close", absolute: 1e-3, relative: 1e-2 } as const;
const COSINE = 0.99;

/** In numbers: equal for all ways to write it. */
export const toleranceOf = ({ absolute, k = 1, least, match, relative }: OutputTolerance) => {
  switch (match) {
    case "equal":
      return { kind: "equal" } as const;
    case "topK":
      return { kind: "topK", k } as const;
    case "cosine":
      return { kind: "cosine", least: least === undefined ? COSINE : shareOf(least) } as const;
    case "close":
      return {
        kind: "close",
        absolute: absolute === undefined ? CLOSE.absolute : Number(absolute),
        relative: relative === undefined ? CLOSE.relative : shareOf(relative),
      } as const;
  }
};

/** `25%` is 0.25. */
const shareOf = (percent: string): number => Number(percent.replace("%", "")) / 100;
