/** Kubernetes quantities: numbers with a unit, exact to 1/1000000000. */

const UNITS: Record<string, bigint> = {
  m: 1_000_000n,
  "": 10n ** 9n,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  P: 10n ** 24n,
  E: 10n ** 27n,
  Ki: 10n ** 9n * 2n ** 10n,
  Mi: 10n ** 9n * 2n ** 20n,
  Gi: 10n ** 9n * 2n ** 30n,
  Ti: 10n ** 9n * 2n ** 40n,
  Pi: 10n ** 9n * 2n ** 50n,
  Ei: 10n ** 9n * 2n ** 60n,
};

/** The value in billionths, rounded up as Kubernetes does; undefined for what is no quantity. */
export const parseQuantity = (quantity: string | number): bigint | undefined => {
  const match = /^([0-9]+)(?:\.([0-9]+))?([A-Za-z]*)$/.exec(String(quantity));
  const unit = UNITS[match?.[3] ?? ""];
  if (match === null || unit === undefined) return undefined;
  const fraction = match[2] ?? "";
  const scale = 10n ** BigInt(fraction.length);
  return (BigInt(`${match[1]}${fraction}`) * unit + scale - 1n) / scale;
};

/** One spelling for each value, so that `1Gi` and `1024Mi` compare equal. Throws on what is no quantity. */
export const canonicalQuantity = (quantity: string | number): string => {
  const billionths = parseQuantity(quantity);
  if (billionths === undefined) throw new Error(`"${quantity}" is not a quantity such as 500m, 2 or 1.5Gi`);
  return billionths % 10n ** 9n === 0n ? `${billionths / 10n ** 9n}` : `${billionths}n`;
};

export const sameQuantity = (one: string | number, other: string | number): boolean =>
  one === other || (parseQuantity(one) !== undefined && parseQuantity(one) === parseQuantity(other));
