import { setTimeout as sleep } from "node:timers/promises";

export type Rate = { perSecond: number; burst: number };

/** Resolves when the next request may go, in the order in which they asked. */
export type RateLimit = { take(signal?: AbortSignal): Promise<void> };

/** The wait in milliseconds of whoever asks at `now`; each is granted a place, so that the next one waits longer. */
export const createBucket = ({ perSecond, burst }: Rate, start: number): ((now: number) => number) => {
  let tokens = burst;
  let at = start;
  return (now) => {
    tokens = Math.min(burst, tokens + ((now - at) / 1000) * perSecond) - 1;
    at = now;
    return tokens >= 0 ? 0 : (-tokens / perSecond) * 1000;
  };
};

/**
 * A client of the API server must not be able to flood it, whatever goes wrong in it: `burst` requests at once, and then so many
 * each second. The server's own priority and fairness comes on top of that.
 */
export const createRateLimit = (rate: Rate, now: () => number = () => performance.now()): RateLimit => {
  const waitOf = createBucket(rate, now());
  return {
    async take(signal) {
      const wait = waitOf(now());
      // a call that is aborted says so itself
      if (wait > 0) await sleep(wait, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    },
  };
};
