/** Whether the rows of a model change each other's answers, found out by running them alone and together. */
import ort from "onnxruntime-node";
import { numbers } from "./builder.ts";
import type { GraphCase, Input } from "./case.ts";

type Values = Float32Array | BigInt64Array | readonly string[];
type Part = { type: string; dims: readonly number[]; values: Values };
type Row = ReadonlyMap<string, Part>;

/** Sizes that rows come in: each is unlike the others. */
const MAGNITUDES = [1, 100, 0.01, 1000, 7, 0.3];
const SEVERAL = 3;

const count = (dims: readonly number[]): number => dims.reduce((all, size) => all * size, 1);
const axisOf = ({ shape }: Input): number => shape.indexOf("N");
/** Open dimensions besides the batch. */
const sizes = ({ shape }: Input, rows: number): number[] =>
  shape.map((size) => (size === "N" ? rows : typeof size === "string" ? SEVERAL : size));

const makeRow = (inputs: readonly Input[], magnitude: number, random: () => number): Row =>
  new Map(
    inputs.map((input): [string, Part] => {
      const dims = sizes(input, 1);
      const length = count(dims);
      const { sampling, type } = input;
      if (sampling !== undefined && "words" in sampling) {
        const pick = (): string => sampling.words[Math.floor(random() * sampling.words.length)] ?? "";
        return [input.name, { type: "string", dims, values: Array.from({ length }, pick) }];
      }
      if (type === "INT64") {
        const { least, most } = sampling ?? { least: 0, most: 1 };
        const pick = (): bigint => BigInt(least + Math.floor(random() * (most - least + 1)));
        return [input.name, { type: "int64", dims, values: BigInt64Array.from({ length }, pick) }];
      }
      return [
        input.name,
        { type: "float32", dims, values: Float32Array.from({ length }, () => (2 * random() - 1) * magnitude) },
      ];
    }),
  );

const slice = (values: Values, from: number, to: number): readonly (number | bigint | string)[] =>
  [...values].slice(from, to);

/** Rows joined along the batch axis of each input. Inputs without one are those of the first. */
const join = (inputs: readonly Input[], rows: readonly Row[]): Record<string, ort.Tensor> => {
  const feeds: Record<string, ort.Tensor> = {};
  for (const input of inputs) {
    const parts = rows.map((row) => row.get(input.name)).filter((part) => part !== undefined);
    const axis = axisOf(input);
    const dims = axis < 0 ? sizes(input, 1) : sizes(input, rows.length);
    const outer = axis < 0 ? 1 : count(dims.slice(0, axis));
    const taken = axis < 0 ? parts.slice(0, 1) : parts;
    const inner = axis < 0 ? count(dims) : count(dims.slice(axis + 1));
    const joined: (number | bigint | string)[] = [];
    for (let at = 0; at < outer; at++)
      for (const { values } of taken) joined.push(...slice(values, at * inner, (at + 1) * inner));
    feeds[input.name] = newTensor(parts[0]?.type ?? "float32", joined, dims);
  }
  return feeds;
};

const newTensor = (
  type: string,
  values: readonly (number | bigint | string)[],
  dims: readonly number[],
): ort.Tensor => {
  if (type === "string") return new ort.Tensor("string", values.map(String), dims);
  if (type === "int64") return new ort.Tensor("int64", BigInt64Array.from(values.map(BigInt)), dims);
  return new ort.Tensor("float32", Float32Array.from(values.map(Number)), dims);
};

/** What rows `at` of a result are, along the axis that grew with the rows; undefined where none did. */
const rowsOf = (whole: ort.Tensor, alone: ort.Tensor, rows: number, at: number): unknown[] | undefined => {
  const axes = whole.dims.flatMap((size, axis) => (size === rows * (alone.dims[axis] ?? 0) && size > 0 ? [axis] : []));
  const axis = axes.find((one) => whole.dims.every((size, other) => other === one || size === alone.dims[other]));
  if (axis === undefined || whole.dims.length !== alone.dims.length) return undefined;
  const inner = count(whole.dims.slice(axis + 1)) * (alone.dims[axis] ?? 1);
  const outer = count(whole.dims.slice(0, axis));
  const values = [...whole.data];
  return Array.from({ length: outer }, (_, o) =>
    values.slice((o * rows + at) * inner, (o * rows + at + 1) * inner),
  ).flat();
};

const differ = (one: readonly unknown[], other: readonly unknown[], tolerance: number): boolean => {
  const greatest = Math.max(
    1e-6,
    ...one.map((value) => (typeof value === "number" && Number.isFinite(value) ? Math.abs(value) : 0)),
  );
  return (
    one.length !== other.length ||
    one.some((value, i) => {
      const against = other[i];
      if (typeof value !== "number" || typeof against !== "number") return value !== against;
      return !Object.is(value, against) && value !== against && !(Math.abs(value - against) <= tolerance * greatest);
    })
  );
};

/**
 * What differs by more than `tolerance`, as part of the greatest of its row, or undefined where nothing did. Rejects
 * where the model does not run with one row.
 */
export const measure = async (
  { bytes, inputs }: Pick<GraphCase, "bytes" | "inputs">,
  seed: number,
  { trials = 4, tolerance = 2e-4 } = {},
): Promise<string | undefined> => {
  const random = numbers(seed);
  const session = await ort.InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    for (let trial = 0; trial < trials; trial++) {
      const rows = MAGNITUDES.slice(0, 2 + (trial % (MAGNITUDES.length - 1))).map((size) =>
        makeRow(inputs, size, random),
      );
      const [first] = rows;
      // what has no batch is the same for all of them
      const shared = rows.map(
        (row) =>
          new Map(
            inputs.map(({ name, shape }): [string, Part] => [
              name,
              (shape.includes("N") ? row : first)?.get(name) ?? { type: "float32", dims: [], values: [] },
            ]),
          ),
      );
      const alone = [];
      for (const row of shared) alone.push(await session.run(join(inputs, [row])));
      let together: ort.InferenceSession.OnnxValueMapType;
      try {
        together = await session.run(join(inputs, shared));
      } catch (error) {
        return `together it fails: ${error instanceof Error ? error.message : String(error)}`;
      }
      for (const [name, whole] of Object.entries(together)) {
        for (const [i, one] of alone.entries()) {
          const own = one[name];
          if (!(own instanceof ort.Tensor) || !(whole instanceof ort.Tensor)) return `${name} is no tensor`;
          const part = rowsOf(whole, own, rows.length, i);
          if (part === undefined)
            return `${name} has the shape [${whole.dims.join()}] for ${rows.length} rows of [${own.dims.join()}]`;
          if (differ([...own.data], part, tolerance)) return `row ${i} of ${rows.length} in ${name}`;
        }
      }
    }
    return undefined;
  } finally {
    await session.release();
  }
};
