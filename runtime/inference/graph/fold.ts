/** Computes what graphs compute of shapes: with the numbers themselves where they are known, with terms else. */
import type { Call } from "./call.ts";
import { constant, divide, equal, isConstant, isSize, type Symbols, type Term } from "./terms.ts";

export const BOOL = 9;
const FLOAT = 1;
const DOUBLE = 11;
/** The least and the greatest of what types of whole numbers hold, by TensorProto.DataType; numbers beyond 2^53 are not followed. */
const LIMITS: Readonly<Record<number, readonly [least: number, most: number]>> = {
  2: [0, 255],
  3: [-128, 127],
  4: [0, 65_535],
  5: [-32_768, 32_767],
  6: [-(2 ** 31), 2 ** 31 - 1],
  7: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  9: [0, 1],
  12: [0, 2 ** 32 - 1],
  13: [0, Number.MAX_SAFE_INTEGER],
};
export const isWholeType = (type: number): boolean => LIMITS[type] !== undefined;
/** Every type of floats holds these: half precision has 11 bits, BF16 has 8. */
const HELD_BY_ALL = 256;

/** What a tensor of the type holds of a number that was computed: what overflows there, or is rounded in other ways, is any number. */
export const held = (symbols: Symbols, type: number, term: Term): Term => {
  if (!isConstant(term)) return term;
  const { c } = term;
  const limits = LIMITS[type];
  if (limits !== undefined) return c >= limits[0] && c <= limits[1] ? term : symbols.fresh(false);
  if (type === FLOAT) return constant(Math.fround(c));
  return type === DOUBLE || (Number.isInteger(c) && Math.abs(c) <= HELD_BY_ALL) ? term : symbols.fresh(false);
};

type Two = (symbols: Symbols, one: Term, other: Term, whole: boolean) => Term | undefined;

const numbers =
  (operation: string, compute: (one: number, other: number) => number, size: boolean): Two =>
  (symbols, one, other) =>
    isConstant(one) && isConstant(other)
      ? constant(compute(one.c, other.c))
      : symbols.derived(operation, [one, other], size && isSize(one) && isSize(other));

const negated = (term: Term): Term => ({ ...term, c: -term.c });

const quotient: Two = (symbols, one, other, whole) => {
  if (isConstant(one) && isConstant(other)) {
    if (other.c === 0) return symbols.fresh(false);
    return constant(whole ? Math.trunc(one.c / other.c) : one.c / other.c);
  }
  // a symbol may be 0, but then the division fails or what comes of it has no elements
  return (
    divide(one, other) ?? symbols.derived(whole ? "quotient" : "ratio", [one, other], isSize(one) && isSize(other))
  );
};

/** Powers that are no whole numbers are rounded as each library does. */
const power: Two = (symbols, one, other) => {
  const value = isConstant(one) && isConstant(other) ? one.c ** other.c : Number.NaN;
  if (Number.isSafeInteger(value)) return constant(value);
  return symbols.derived("power", [one, other], isSize(one) && isSize(other));
};

const truth = (value: boolean): Term => constant(value ? 1 : 0);
/** Whether a term that is 0 or more is told from one that is below 0, whatever both are. */
const apart = (one: Term, other: Term): boolean =>
  (isSize(one) && isConstant(other) && other.c < 0) || (isSize(other) && isConstant(one) && one.c < 0);

const same: Two = (symbols, one, other) => {
  if (isConstant(one) && isConstant(other)) return truth(one.c === other.c);
  if (equal(one, other)) return truth(true);
  if (apart(one, other)) return truth(false);
  return symbols.derived("equal", [one, other], true);
};

const compare =
  (name: string, holds: (one: number, other: number) => boolean): Two =>
  (symbols, one, other) => {
    if (isConstant(one) && isConstant(other)) return truth(holds(one.c, other.c));
    if (equal(one, other)) return truth(holds(0, 0));
    if (isSize(one) && isConstant(other) && other.c < 0) return truth(holds(1, -1));
    if (isSize(other) && isConstant(one) && one.c < 0) return truth(holds(-1, 1));
    return symbols.derived(name, [one, other], true);
  };

const remainder: Two = (symbols, one, other, whole) => {
  if (isConstant(one) && isConstant(other) && other.c > 0 && one.c >= 0) return constant(one.c % other.c);
  if (whole && isConstant(other) && other.c > 0 && Number.isInteger(one.c / other.c)) return constant(0);
  return symbols.derived("remainder", [one, other], isSize(one) && isSize(other));
};

const BINARY: Readonly<Record<string, Two>> = {
  Add: (symbols, one, other) => symbols.plus(one, other),
  Sub: (symbols, one, other) => symbols.plus(one, negated(other)),
  Mul: (symbols, one, other) => symbols.times(one, other),
  Div: quotient,
  Mod: remainder,
  Pow: power,
  Max: numbers("max", Math.max, true),
  Min: numbers("min", Math.min, true),
  And: numbers("and", (one, other) => (one !== 0 && other !== 0 ? 1 : 0), true),
  Or: numbers("or", (one, other) => (one !== 0 || other !== 0 ? 1 : 0), true),
  Equal: same,
  Greater: compare("greater", (one, other) => one > other),
  Less: compare("less", (one, other) => one < other),
  GreaterOrEqual: compare("greater or equal", (one, other) => one >= other),
  LessOrEqual: compare("less or equal", (one, other) => one <= other),
};

const UNARY: Readonly<Record<string, (value: number) => number>> = {
  Neg: (value) => -value,
  Not: (value) => (value === 0 ? 1 : 0),
  Abs: Math.abs,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Sqrt: Math.sqrt,
};

/** What an operator of one or two small tensors gives, element by element; undefined where it is none of these. */
export const foldElements = (
  { symbols }: Pick<Call, "symbols">,
  operator: string,
  operands: readonly (readonly Term[])[],
  whole: boolean,
): readonly (Term | undefined)[] | undefined => {
  const [one, other, third] = operands;
  if (one === undefined) return undefined;
  if (operator === "Identity") return one;
  if (operator === "Where" && other !== undefined && third !== undefined) {
    const length = Math.max(one.length, other.length, third.length);
    return spread(length, one).map((condition, i) => choose(symbols, condition, at(other, i), at(third, i)));
  }
  const unary = UNARY[operator];
  if (unary !== undefined && operands.length === 1) {
    return one.map((term) => {
      if (isConstant(term)) return constant(unary(term.c));
      if (operator === "Neg") return negated(term);
      // of whole numbers, or of 0 and more, these are the identity
      if (
        isSize(term) &&
        (operator === "Abs" || (operator !== "Not" && operator !== "Sqrt" && Number.isInteger(term.c)))
      )
        return operator === "Abs" || whole || term.symbols.length === 0
          ? term
          : symbols.derived(operator, [term], true);
      return symbols.derived(operator, [term], false);
    });
  }
  const binary = BINARY[operator];
  if (binary === undefined || other === undefined || operands.length !== 2) return undefined;
  const length = Math.max(one.length, other.length);
  return spread(length, one).map((term, i) => {
    const against = at(other, i);
    return against && binary(symbols, term, against, whole);
  });
};

const choose = (symbols: Symbols, condition: Term, one?: Term, other?: Term): Term | undefined => {
  if (one === undefined || other === undefined) return undefined;
  if (isConstant(condition)) return condition.c === 0 ? other : one;
  if (equal(one, other)) return one;
  return symbols.derived("where", [condition, one, other], isSize(one) && isSize(other));
};

/** One element stands for all; other lengths were seen to be equal before. */
const at = (list: readonly Term[], i: number): Term | undefined => (list.length === 1 ? list[0] : list[i]);
const spread = (length: number, list: readonly Term[]): readonly Term[] =>
  list.length === 1 && list[0] !== undefined ? Array<Term>(length).fill(list[0]) : list;
