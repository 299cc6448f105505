import { floats, type Tensor } from "../../tensors/index.ts";
import { splitOutput } from "./join.ts";
import { PLAIN } from "./samples.ts";
import { firstApart, identical, magnitude, toleranceOf } from "./tolerance.ts";
import { Refuted, type Row, type Rows, shapeText, type Tensors } from "./trials.ts";

/** A row's answer depends on the rows beside it, or on how many there are. */
export class Coupled extends Refuted {}

/** What a proof compares. Each of these throws Refuted where an answer is not what it must be. */
export type Comparison = {
  /** Of each output, once a batch was seen. */
  axes(): number[];
  /**
   * Each row whose answer alone means anything has that answer, but for rounding. Returns the places of rows other than plain ones that
   * have not: the sine of a million is another one after the last bit, so that it may be rounding yet.
   */
  withAlone(members: readonly Row[], together: Tensors): number[];
  /**
   * The row at `place` is answered to the last bit as among copies of itself, and no further from its answer alone than if its inputs
   * were off by what rounding is: then it is not compared with that any more.
   */
  excuse(members: readonly Row[], place: number, together: Tensors, seen: { copies: Tensors; nudged: Tensors }): void;
  /** The first of the places `kept` whose answer is not the same to the last bit in two batches of one size. */
  firstChanged(kept: readonly number[], size: number, before: Tensors, after: Tensors): number | undefined;
  /** What changed is no more than rounding, and changes as well when nothing else does. */
  unlessUnsteady(kept: readonly number[], size: number, before: Tensors, after: Tensors, again: Tensors): void;
};

export const newComparison = (
  outputs: readonly string[],
  possible: readonly (readonly number[])[],
  rows: Rows,
): Comparison => {
  const compared = new Set([...rows.plain, ...rows.wide]);
  const scaleOf = newScales(compared);
  const { axes, partsOf } = newParts(outputs, possible, rows.plain[0]);
  return {
    axes,
    withAlone(members, together) {
      const suspects = new Set<number>();
      for (const [output, name] of outputs.entries()) {
        const parts = partsOf(output, together, members.length);
        for (const [i, member] of members.entries()) {
          if (!compared.has(member)) continue;
          const part = parts[i];
          const alone = member.answer.get(name);
          if (part !== undefined && alone !== undefined && isSame(alone, part, scaleOf(name, member))) continue;
          if (member.recipe === PLAIN) throw changes(name, members.length);
          suspects.add(i);
        }
      }
      return [...suspects];
    },
    excuse(members, place, together, { copies, nudged }) {
      const row = members[place];
      if (row === undefined) return;
      for (const [output, name] of outputs.entries()) {
        const [mixed, own] = [together, copies].map((batch) => partsOf(output, batch, members.length)[place]);
        const explained = isExplained(row.answer.get(name), mixed, nudged.get(name));
        if (!sameBits(mixed, own) || !explained) throw changes(name, members.length);
      }
      compared.delete(row);
    },
    firstChanged(kept, size, before, after) {
      for (const output of outputs.keys()) {
        const [left, right] = [partsOf(output, before, size), partsOf(output, after, size)];
        const at = kept.find((place) => !sameBits(left[place], right[place]));
        if (at !== undefined) return at;
      }
      return undefined;
    },
    unlessUnsteady(kept, size, before, after, again) {
      for (const [output, name] of outputs.entries()) {
        const [left, right, repeated] = [before, after, again].map((batch) => partsOf(output, batch, size));
        for (const place of kept) {
          const [one, other, steady] = [left?.[place], right?.[place], repeated?.[place]];
          if (sameBits(one, other)) continue;
          if (one === undefined || other === undefined || sameBits(one, steady)) throw beside(name);
          if (!isSame(one, other, magnitude(one))) throw beside(name);
        }
      }
    },
  };
};

const changes = (name: string, size: number): Coupled =>
  new Coupled(`output "${name}" changes when ${size} requests run together`);

const beside = (name: string): Coupled =>
  new Coupled(`output "${name}" of one request changes with the other requests of the batch`);

/** Takes outputs apart, along axes that the first batch shows. */
const newParts = (
  outputs: readonly string[],
  possible: readonly (readonly number[])[],
  example: Row | undefined,
): { axes(): number[]; partsOf(output: number, together: Tensors, size: number): Tensor[] } => {
  let axes: number[] | undefined;
  return {
    axes: () => axes ?? [],
    partsOf(output, together, size) {
      const name = outputs[output] ?? "";
      const whole = together.get(name);
      if (whole === undefined) throw new Refuted(`output "${name}" is missing`);
      axes ??= outputs.map((one, i) => outputAxis(one, possible[i] ?? [], example?.answer, together, size));
      return splitOutput(name, whole, axes[output] ?? 0, new Array<number>(size).fill(1));
    },
  };
};

/** What rounding changes within a model is some times what it changes in the inputs. */
const NUDGES = 8;

const isExplained = (alone: Tensor | undefined, mixed: Tensor | undefined, nudged: Tensor | undefined): boolean =>
  alone !== undefined &&
  mixed !== undefined &&
  nudged !== undefined &&
  farthest(alone, mixed) <= NUDGES * farthest(alone, nudged);

/** The farthest that two elements are apart; of what is no float 1 where anything differs. */
const farthest = (one: Tensor, other: Tensor): number => {
  const [left, right] = [floats(one), floats(other)];
  if (left === undefined || right === undefined) return identical(one, other) ? 0 : 1;
  let most = 0;
  for (let i = 0; i < left.length; i++) {
    const [value = 0, against = 0] = [left[i], right[i]];
    if (!Object.is(value, against)) most = Math.max(most, Math.abs(value - against));
  }
  return most;
};

const sameBits = (one: Tensor | undefined, other: Tensor | undefined): boolean =>
  one !== undefined && other !== undefined && identical(one, other);

const isSame = (one: Tensor, other: Tensor, scale: number): boolean =>
  one.shape.join() === other.shape.join() &&
  firstApart(one, other, (toleranceOf(one.datatype) ?? 0) * scale) === undefined;

/**
 * What rounding is a part of: the greatest magnitude of an output among the rows that are no larger. A row of its own may
 * come out near 0 by cancellation; and a row of millions must hide no change in one of ones.
 */
const newScales = (rows: ReadonlySet<Row>): ((output: string, row: Row) => number) => {
  const known = new Map<Row, Map<string, number>>();
  const of = (output: string, row: Row): number => {
    let most = 0;
    for (const other of rows) {
      if (other.recipe.scale > row.recipe.scale) continue;
      const tensor = other.answer.get(output);
      if (tensor !== undefined) most = Math.max(most, magnitude(tensor));
    }
    return most;
  };
  return (output, row) => {
    const own = known.get(row) ?? new Map<string, number>();
    known.set(row, own);
    const scale = own.get(output) ?? of(output, row);
    own.set(output, scale);
    return scale;
  };
};

const outputAxis = (
  name: string,
  possible: readonly number[],
  alone: Tensors | undefined,
  together: Tensors,
  size: number,
): number => {
  const one = alone?.get(name);
  const several = together.get(name);
  if (one === undefined || several === undefined) throw new Refuted(`output "${name}" is missing`);
  const axis = possible.find((at) =>
    several.shape.every((length, i) => length === (i === at ? size : one.shape[i]) && (i !== at || one.shape[i] === 1)),
  );
  if (axis !== undefined && several.shape.length === one.shape.length) return axis;
  throw new Refuted(`output "${name}" is ${shapeText(one)} for one request and ${shapeText(several)} for ${size}`);
};
