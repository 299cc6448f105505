/**
 * A whole number that depends on the sizes of a run: c · N^n · the product of symbols. N is the number of rows, that is the
 * size of the batch; a symbol stands for a number that is the same however requests are joined, such as the length
 * of a text. Symbols above 0 are sizes, 0 or more; those below 0 may be any number.
 */
export type Term = { c: number; n: number; symbols: readonly number[] };

/** More symbols in a product are given a name of their own: graphs that square them again and again stay small. */
const MAX_SYMBOLS = 12;

export const constant = (c: number): Term => ({ c, n: 0, symbols: [] });
export const ONE = constant(1);
export const ROWS: Term = { c: 1, n: 1, symbols: [] };

export const isConstant = ({ n, symbols }: Term): boolean => n === 0 && symbols.length === 0;
export const isNumber = (term: Term | undefined, value: number): boolean =>
  term !== undefined && isConstant(term) && term.c === value;
/** Whether it depends on how requests are joined. */
export const isSized = ({ n }: Term): boolean => n !== 0;
/** Whether it is 0 or more whatever its symbols are. */
export const isSize = ({ c, symbols }: Term): boolean => c >= 0 && symbols.every((symbol) => symbol > 0);

export const equal = (one: Term, other: Term): boolean =>
  one.c === other.c &&
  one.n === other.n &&
  one.symbols.length === other.symbols.length &&
  one.symbols.every((symbol, i) => symbol === other.symbols[i]);

const key = ({ c, n, symbols }: Term): string => `${c}n${n}(${symbols.join()})`;

/** one ÷ other where that is a term again, whatever the symbols are. */
export const divide = (one: Term, other: Term): Term | undefined => {
  if (other.c === 0 || one.n < other.n || !Number.isInteger(one.c / other.c)) return undefined;
  const left = one.symbols.slice();
  for (const symbol of other.symbols) {
    const at = left.indexOf(symbol);
    if (at < 0) return undefined;
    left.splice(at, 1);
  }
  return { c: one.c / other.c, n: one.n - other.n, symbols: left };
};

/** Names of the symbols of one analysis. What is computed twice from the same terms is the same symbol. */
export const createSymbols = () => {
  let last = 0;
  const named = new Map<string, number>();
  const fresh = (size = true): Term => {
    last++;
    return { c: 1, n: 0, symbols: [size ? last : -last] };
  };
  /** Undefined where it would depend on the number of rows in a way that no term says. */
  const derived = (operation: string, terms: readonly Term[], size: boolean): Term | undefined => {
    if (terms.some(isSized)) return undefined;
    const name = `${operation}:${size}:${terms.map(key).join(" ")}`;
    let symbol = named.get(name);
    if (symbol === undefined) {
      last++;
      symbol = size ? last : -last;
      named.set(name, symbol);
    }
    return { c: 1, n: 0, symbols: [symbol] };
  };
  const times = (one: Term, other: Term): Term | undefined => {
    const c = one.c * other.c;
    if (c === 0) return constant(0);
    const symbols = [...one.symbols, ...other.symbols].sort((a, b) => a - b);
    const n = one.n + other.n;
    if (n > 4 || Math.abs(c) > Number.MAX_SAFE_INTEGER) return undefined;
    if (symbols.length <= MAX_SYMBOLS) return { c, n, symbols };
    return derived(
      "product",
      [{ c, n, symbols }],
      symbols.every((symbol) => symbol > 0),
    );
  };
  const plus = (one: Term, other: Term): Term | undefined => {
    if (isNumber(one, 0)) return other;
    if (isNumber(other, 0)) return one;
    const unit = (term: Term): Term => ({ ...term, c: 1 });
    if (equal(unit(one), unit(other))) {
      const c = one.c + other.c;
      return c === 0 ? constant(0) : { ...one, c };
    }
    const terms = key(one) < key(other) ? [one, other] : [other, one];
    return derived("sum", terms, isSize(one) && isSize(other));
  };
  return { fresh, derived, times, plus };
};
export type Symbols = ReturnType<typeof createSymbols>;

export const product = (symbols: Symbols, terms: readonly Term[]): Term | undefined => {
  let all: Term | undefined = ONE;
  for (const term of terms) all = all && symbols.times(all, term);
  return all;
};
