/** Go durations in whole units, as the schema allows them: `30s`, `2m30s`, `250ms`. */

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds. Throws on what is no such duration. */
export const parseDuration = (duration: string): number => {
  if (!/^([0-9]+(ms|s|m|h))+$/.test(duration)) throw new Error(`"${duration}" is not a duration such as 30s or 2m30s`);
  return [...duration.matchAll(/([0-9]+)(ms|s|m|h)/g)].reduce(
    (total, [, amount, unit]) => total + Number(amount) * (UNIT_MS[unit ?? ""] ?? 0),
    0,
  );
};

const UNIT_US: Record<string, number> = { us: 1, ms: 1000, s: 1_000_000 };

/** Microseconds, of a delay such as `2ms` or `500us`. Throws on what is no such delay. */
export const parseDelay = (delay: string): number => {
  if (!/^([0-9]+(us|ms|s))+$/.test(delay)) throw new Error(`"${delay}" is not a delay such as 2ms or 500us`);
  return [...delay.matchAll(/([0-9]+)(us|ms|s)/g)].reduce(
    (total, [, amount, unit]) => total + Number(amount) * (UNIT_US[unit ?? ""] ?? 0),
    0,
  );
};

/** In seconds or milliseconds where that is exact, else in microseconds. */
export const formatDelay = (us: number): string => (us % 1000 === 0 ? formatDuration(us / 1000) : `${us}us`);

/** In seconds where that is exact, else in milliseconds. */
export const formatDuration = (ms: number): string => (ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`);
