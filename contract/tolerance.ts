/** `spec.rollout.analysis.outputs.tolerances[]`: when two values of an output count as the same. */
import { z } from "zod";

export const MOST_TOLERANCES = 64;

export const toleranceSchema = z.object({
  output: z.string().min(1).max(128).describe("Name of the output."),
  match: z
    .enum(["equal", "close", "topK", "cosine"])
    .describe(
      "When two values agree. `equal`: they are the same numbers or strings. `close`: each element differs from the stable revision's " +
        "by at most `absolute` + `relative` × its value. `topK`: along the last axis, the stable revision's first class is among the new " +
        "revision's first `k`. `cosine`, for embeddings: along the last axis, the cosine similarity is at least `least`.",
    ),
  k: z
    .int32()
    .min(1)
    .max(1000)
    .optional()
    .describe("With `topK`: the number of classes. Default: 1, the same first class."),
  absolute: z
    .string()
    .min(1)
    .max(24)
    .regex(/^[0-9]+([.][0-9]+)?(e-?[0-9]{1,3})?$/)
    .optional()
    .describe(
      'With `close`: the absolute tolerance, a number in quotes, such as `"0.001"` or `"1e-5"`. Default: `"0.001"`.',
    ),
  relative: z
    .string()
    .min(2)
    .max(12)
    .regex(/^[0-9]{1,3}([.][0-9]{1,6})?%$/)
    .optional()
    .describe("With `close`: the relative tolerance, as a percentage of the stable revision's value. Default: `1%`."),
  least: z
    .string()
    .min(2)
    .max(12)
    .regex(/^[0-9]{1,2}([.][0-9]{1,6})?%$|^100%$/)
    .optional()
    .describe("With `cosine`: the minimum similarity, as a percentage; 100% means the same direction. Default: `99%`."),
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
