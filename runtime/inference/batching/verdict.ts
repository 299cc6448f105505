import type { Tensor } from "../../tensors/index.ts";
import { elementText, firstApart, magnitude, toleranceOf } from "./tolerance.ts";

// What is to be thought of a request whose answer in a batch was not the one that it gets alone. Pure.

type Answer = ReadonlyMap<string, Tensor>;

/** Where two answers differ by more than rounding. `together`, `alone`: the values there, for people. */
export type Difference = { output: string; element: number; together: string; alone: string; isGross: boolean };

/**
 * How large answers usually are, by output: of the last ones that were checked. What comes out near 0 by cancellation is off by a
 * part of what was cancelled, not of itself.
 */
export type Magnitudes = Map<string, number[]>;

const REMEMBERED = 64;
/** A tenth of the answers are smaller: what has come out near 0 is fewer. */
const TENTH = 0.1;
/** Fewer say little. */
const ENOUGH = 8;
/** Rounding in runs of other sizes is never off by so many times the tolerance. */
const GROSS = 10;
/** Answers that rounding alone has decided, as of two classes that are equally likely, at most: and one more in a hundred. */
const MOST_TIES = 2;
const TIES_SHARE = 0.01;

export const remember = (magnitudes: Magnitudes, answer: Answer): void => {
  for (const [name, tensor] of answer) {
    const known = magnitudes.get(name) ?? [];
    known.push(magnitude(tensor));
    if (known.length > REMEMBERED) known.shift();
    magnitudes.set(name, known);
  }
};

const usual = (known: readonly number[] = []): number => {
  if (known.length < ENOUGH) return 0;
  return known.toSorted((one, other) => one - other)[Math.floor(known.length * TENTH)] ?? 0;
};

export const differenceOf = (together: Answer, alone: Answer, magnitudes: Magnitudes): Difference | undefined => {
  for (const [output, one] of together) {
    const other = alone.get(output);
    if (other === undefined || one.shape.join() !== other.shape.join() || one.datatype !== other.datatype) {
      const shape = (tensor: Tensor | undefined): string => `of shape [${tensor?.shape.join(", ") ?? ""}]`;
      return { output, element: 0, together: shape(one), alone: shape(other), isGross: true };
    }
    const known = magnitudes.get(output);
    const most = (toleranceOf(one.datatype) ?? 0) * Math.max(magnitude(other), usual(known));
    const element = firstApart(one, other, most);
    if (element === undefined) continue;
    const isKnown = toleranceOf(one.datatype) !== undefined && (known?.length ?? 0) >= ENOUGH;
    const isGross = isKnown && firstApart(one, other, GROSS * most) !== undefined;
    return { output, element, together: elementText(one, element), alone: elementText(other, element), isGross };
  }
  return undefined;
};

/**
 * A run of another size rounds otherwise, and that decides between two labels that are equally likely: no fault of the batch.
 * `amongCopies`: the same request in a batch of the same size, at the same place, beside copies of itself only. If that
 * changes the answer as well, the others did; if not, it is rounding, unless it is too much or too often.
 */
export const isRounding = (
  difference: Difference,
  together: Answer,
  amongCopies: Answer,
  magnitudes: Magnitudes,
  { checked, ties }: { checked: number; ties: number },
): boolean =>
  !difference.isGross &&
  differenceOf(together, amongCopies, magnitudes) === undefined &&
  ties < MOST_TIES + Math.floor(TIES_SHARE * checked);
