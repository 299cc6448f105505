/** JavaScript writes -0 as "0", and the rest as JSON has it or as the bare words that the protocols' clients read. */
export const writeFloat = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The number with the fewest decimal digits that is `value` when rounded to 32 bits: nine digits tell all floats apart, six
 * always survive (fewer in the subnormal floats, of which some have shorter texts). Whole numbers below 1e9 stay as they are.
 */
export const shortest = (value: number): number => {
  if (!Number.isFinite(value) || (Number.isInteger(value) && Math.abs(value) < 1e9)) return value;
  const scale = 7 - Math.floor(Math.log10(Math.abs(value)));
  if (scale < 2 || scale > 21) return shortestOfAny(value);
  const eight = rounded(value, scale);
  if (Math.fround(eight) !== value) {
    const nine = rounded(value, scale + 1);
    return Math.fround(nine) === value ? nine : value;
  }
  const seven = rounded(value, scale - 1);
  if (Math.fround(seven) !== value) return eight;
  const six = rounded(value, scale - 2);
  return Math.fround(six) === value ? six : seven;
};

const rounded = (value: number, scale: number): number => {
  const power = POWERS[scale] ?? 1;
  return Math.round(value * power) / power;
};

const shortestOfAny = (value: number): number => {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
};
