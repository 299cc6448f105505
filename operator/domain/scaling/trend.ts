/** Where the demand is going. Pure. */

const BLOCKS = 4;
/** A shorter block has too few requests to tell a trend from chance. */
const LEAST_BLOCK = 10;

/** How many seconds of the past a trend over `ahead` seconds is read off. */
export const trendSpan = (ahead: number): number => BLOCKS * blockOf(ahead);

const blockOf = (ahead: number): number => Math.max(LEAST_BLOCK, Math.ceil(ahead / 2));

/**
 * By how much more requests a second will come in `ahead` seconds; never less than 0. It goes by the smallest of three rises in a row:
 * after a step there is but one, and the load is there already.
 *
 * @param seconds requests of each second, the latest first
 */
export const riseOf = (seconds: readonly number[], ahead: number): number => {
  const block = blockOf(ahead);
  if (seconds.length < BLOCKS * block) return 0;
  const rates = Array.from({ length: BLOCKS }, (_, i) => rateOf(seconds.slice(i * block, (i + 1) * block)));
  const rises = rates.slice(0, -1).map((rate, i) => rate - (rates[i + 1] ?? 0));
  const smallest = Math.min(...rises);
  return smallest <= 0 ? 0 : (smallest * ahead) / block;
};

const rateOf = (seconds: readonly number[]): number => seconds.reduce((all, one) => all + one, 0) / seconds.length;
