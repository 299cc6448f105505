/** How many requests come, from the counts of single seconds. Pure. */

/** Requests of one second: all of them, and those that did not come at one stroke with many others. */
export type Second = { all: number; steady: number };

/** The latest first. */
export type Seconds = readonly Second[];

/** Requests a second. */
export type Demand = {
  /** What to have pods for. */
  rate: number;
  /** What to expect next: a hundred requests at one stroke are a crowd, and no rate. */
  steady: number;
};

const LONG = 30;

/**
 * A rate that so many standard deviations prove to be above the half minute's is news, and no chance: one in 30,000 with the single
 * second, which is looked at most often, one in 700 with five.
 */
const NEWS = [
  { seconds: 1, deviations: 4 },
  { seconds: 2, deviations: 4 },
  { seconds: 5, deviations: 3 },
] as const;

/**
 * The half minute's rate, unless the last few seconds prove it outdated. Taken as it comes, the greater of it and that of five seconds
 * would be a tenth too much at 20 requests a second, by chance alone.
 */
export const demandOf = (seconds: Seconds): Demand => {
  const rate = mean(
    seconds.slice(0, LONG).map(({ all }) => all),
    LONG,
  );
  const steady = mean(
    seconds.slice(0, LONG).map(({ steady }) => steady),
    LONG,
  );
  const news = NEWS.map(({ deviations, seconds: length }) => {
    const latest = mean(
      seconds.slice(0, length).map(({ steady }) => steady),
      length,
    );
    const usual = rate * length;
    return latest * length > usual + deviations * Math.sqrt(Math.max(1, usual)) ? latest : 0;
  });
  return { rate: Math.max(rate, ...news), steady: Math.max(steady, ...news) };
};

const mean = (values: readonly number[], length: number): number => values.reduce((all, one) => all + one, 0) / length;

/** Tenths of a second in a second. */
const TENTHS = 10;

/**
 * One second's requests, of which `crowd` came in a tenth of it, the one with the most. By chance a tenth rarely has more than four standard
 * deviations above its share; then it counts as much as the others.
 */
export const secondOf = (arrivals: number, crowd: number): Second => {
  const share = arrivals / TENTHS;
  const isCrowd = crowd > share + 4 * Math.sqrt(Math.max(1, share));
  return { all: arrivals, steady: isCrowd ? ((arrivals - crowd) * TENTHS) / (TENTHS - 1) : arrivals };
};
