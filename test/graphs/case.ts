import type { ElementType } from "../runtime/models.ts";
import { type Builder, createBuilder, encode, type ModelOptions, type Name, type Shape } from "./builder.ts";

/** What the rows of an input are made of: whole numbers from `least` up to `most`, or words. Floats need none. */
export type Sampling = { least: number; most: number } | { words: readonly string[] };

export type Input = { name: Name; type: ElementType; shape: Shape; sampling?: Sampling };

/** A model and what is claimed of it: whether a request's answer depends on those that it shares a run with. */
export type GraphCase = {
  name: string;
  coupled: boolean;
  bytes: Uint8Array;
  /** The batch is the dimension "N". */
  inputs: readonly Input[];
};

/** One output, FP32 unless its type is told. */
export type Result = Name | { name: Name; type: ElementType } | readonly (Name | { name: Name; type: ElementType })[];

export type Recipe = { inputs?: readonly Input[]; seed?: number } & ModelOptions;

export const x = (...shape: Shape): Input => ({ name: "x", type: "FP32", shape });
export const ids = (most: number, ...shape: Shape): Input => ({
  name: "ids",
  type: "INT64",
  shape,
  sampling: { least: 0, most },
});
export const texts = (words: readonly string[], ...shape: Shape): Input => ({
  name: "text",
  type: "BYTES",
  shape,
  sampling: { words },
});

const TABLE: readonly Input[] = [x("N", 4)];

const newCase =
  (coupled: boolean) =>
  (name: string, fill: (builder: Builder, ...inputs: Name[]) => Result, recipe: Recipe = {}): GraphCase => {
    const { inputs = TABLE, seed = 7, ...options } = recipe;
    const builder = createBuilder(seed);
    const names = inputs.map((input) => builder.input(input.name, input.type, input.shape));
    const filled = fill(builder, ...names);
    const results = typeof filled === "string" || "name" in filled ? [filled] : filled;
    for (const result of results) {
      if (typeof result === "string") builder.output(result, "FP32");
      else builder.output(result.name, result.type);
    }
    return { name, coupled, bytes: encode(builder, options), inputs };
  };

export const coupled = newCase(true);
export const independent = newCase(false);
