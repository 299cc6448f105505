/** Kubernetes quantities: numbers with a unit, exact to 1/1000000000. Pure. */

const NANO = -9;
/** Powers of ten. */
const DECIMAL: ReadonlyMap<string, number> = new Map([
  ...([
    ["n", -9],
    ["u", -6],
    ["m", -3],
    ["", 0],
    ["k", 3],
    ["M", 6],
    ["G", 9],
    ["T", 12],
    ["P", 15],
    ["E", 18],
  ] as const),
]);
/** Powers of two. */
const BINARY: ReadonlyMap<string, bigint> = new Map([
  ...([
    ["Ki", 10n],
    ["Mi", 20n],
    ["Gi", 30n],
    ["Ti", 40n],
    ["Pi", 50n],
    ["Ei", 60n],
  ] as const),
]);

const ONE = 10n ** 9n;
const MILLI = 10n ** 6n;
/** Kubernetes counts in 64 bits; no node has more. */
const MOST = (2n ** 63n - 1n) * ONE;
/** Digits before the point of what is above `MOST` for sure. */
const MOST_DIGITS = 20;
/** Digits that can make a difference: a billionth of the smallest binary unit of the greatest value, and then some. */
const KEPT_DIGITS = 80;

const QUANTITY = /^([-+]?)([0-9]*)(?:\.([0-9]*))?(?:([numkMGTPE]?|[KMGTPE]i)|[eE]([-+]?[0-9]+))$/;

/**
 * The value in billionths, rounded away from zero as Kubernetes does, and in magnitude 2^63-1 at most; undefined for what is no
 * quantity. Whatever the API server takes is one, also `.5`, `5.`, `+1`, `1e3` and a unit alone, which is zero.
 */
export const parseQuantity = (quantity: string | number): bigint | undefined => {
  const text = String(quantity);
  const match = text === "" ? null : QUANTITY.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", unit = "", exponent] = match;
  const binary = BINARY.get(unit);
  const power = exponent === undefined ? (DECIMAL.get(unit) ?? 0) : Number(exponent);
  const value = scaled(`${whole}${fraction}`.replace(/^0+/, ""), power - fraction.length, 1n << (binary ?? 0n));
  return sign === "-" ? -value : value;
};

/** `digits` × 10^`power` × `factor` in billionths. Costs no more for a power of millions than for one of ten. */
const scaled = (digits: string, power: number, factor: bigint): bigint => {
  if (digits === "") return 0n;
  if (digits.length + power > MOST_DIGITS) return MOST;
  const kept = digits.slice(0, KEPT_DIGITS);
  const left = digits.length - kept.length;
  const isMore = left > 0 && /[1-9]/.test(digits.slice(KEPT_DIGITS));
  const value = (BigInt(kept) + (isMore ? 1n : 0n)) * factor;
  const shift = power + left - NANO;
  if (shift >= 0) return least(value * 10n ** BigInt(shift), MOST);
  if (-shift > KEPT_DIGITS + MOST_DIGITS) return 1n;
  return least(divided(value, 10n ** BigInt(-shift)), MOST);
};

const least = (one: bigint, other: bigint): bigint => (one < other ? one : other);

/** Rounded up, for amounts that are not negative. */
const divided = (amount: bigint, by: bigint): bigint => (amount + by - 1n) / by;

/** To a multiple of `unit`, away from zero. */
export const roundedUp = (amount: bigint, unit: bigint): bigint =>
  amount < 0n ? -divided(-amount, unit) * unit : divided(amount, unit) * unit;

/** As the API server keeps what a container asks for: in thousandths. */
const kept = (billionths: bigint): bigint => roundedUp(billionths, MILLI);

/** One spelling for each value that a container can ask for, so that `1Gi` and `1024Mi` compare equal. Throws on what is no quantity. */
export const canonicalQuantity = (quantity: string | number): string => {
  const billionths = parseQuantity(quantity);
  if (billionths === undefined) throw new Error(`"${quantity}" is not a quantity such as 500m, 2 or 1.5Gi`);
  const value = kept(billionths);
  return value % ONE === 0n ? `${value / ONE}` : `${value}n`;
};

/** Whether a container asks for as much: `100u` comes back from the API server as `1m`. */
export const sameQuantity = (one: string | number, other: string | number): boolean => {
  if (one === other) return true;
  const [first, second] = [parseQuantity(one), parseQuantity(other)];
  return first !== undefined && second !== undefined && kept(first) === kept(second);
};
