/** So much may be had at once, and so much more each second. */
export type Rate = { burst: number; perSecond: number };

/** Counts what a client may do only so often. Returns whether it may once more. `now`: in ms, never going back. */
export const createRate = ({ burst, perSecond }: Rate): ((now: number) => boolean) => {
  let left = burst;
  let last = Number.NEGATIVE_INFINITY;
  return (now) => {
    if (now > last) {
      left = Math.min(burst, left + ((now - last) * perSecond) / 1000);
      last = now;
    }
    left--;
    return left >= 0;
  };
};
