/** Time as the scheduler sees it. Milliseconds. */
export type Clock = {
  /** Monotonic, with fractions: `performance.now`'s. */
  now(): number;
  /** Since 1970. */
  epochMs(): number;
  /** Runs it at the end of this turn of the event loop, so that requests that were parsed in one turn meet. */
  soon(run: () => void): void;
  /** Runs it after so long. Returns how to cancel that. */
  after(ms: number, run: () => void): () => void;
};

export const systemClock: Clock = {
  now: () => performance.now(),
  epochMs: () => Date.now(),
  soon: (run) => {
    setImmediate(run);
  },
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** One timer for the earliest of many times. */
export type Alarm = { set(time: number): void; stop(): void };

/** A time that became needless is not taken back: a timer that fires for nothing is cheaper than one for each request. */
export const newAlarm = (clock: Clock, ring: () => void): Alarm => {
  let armedFor = Number.POSITIVE_INFINITY;
  let cancel: (() => void) | undefined;
  return {
    set(time) {
      if (time >= armedFor) return;
      cancel?.();
      armedFor = time;
      // setTimeout's largest delay is 2^31 - 1 ms; whole milliseconds, rounded up so that it does not ring too early
      const delay = Math.min(Math.max(Math.ceil(time - clock.now()), 1), 2 ** 31 - 1);
      cancel = clock.after(delay, () => {
        armedFor = Number.POSITIVE_INFINITY;
        cancel = undefined;
        ring();
      });
    },
    stop() {
      cancel?.();
      cancel = undefined;
      armedFor = Number.POSITIVE_INFINITY;
    },
  };
};
