const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
/** The longest that a timer of Node takes. */
const MOST_MS = 2 ** 31 - 1;

/** The milliseconds of a grpc-timeout, Infinity for none; undefined where it is none. */
export const timeoutOf = (value: string | undefined): number | undefined => {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  const unit = UNIT_MS[value.slice(-1)];
  const count = value.slice(0, -1);
  return unit === undefined || !/^\d{1,8}$/.test(count) ? undefined : Number(count) * unit;
};

/** Calls `passed` after `ms`; returns what takes that back. */
export const startDeadline = (ms: number, passed: () => void): (() => void) => {
  if (ms > MOST_MS) return () => undefined;
  const timer = setTimeout(passed, Math.max(0, ms)).unref();
  return () => clearTimeout(timer);
};
