/** A clock that tests turn: timers run in the order of their times, and those of the same time in the order in which they were set. */
import type { After } from "../../runtime/event-loop/after.ts";

export type HandClock = {
  now(): number;
  after: After;
  /** So many ms go by, with all that is due in them. */
  pass(ms: number): void;
  /** Timers that have not run. */
  set(): number;
};

export const handClock = (): HandClock => {
  let time = 0;
  let orders = 0;
  const timers = new Set<{ at: number; order: number; run(): void }>();
  const after: After = (ms, run) => {
    const timer = { at: time + ms, order: orders++, run };
    timers.add(timer);
    return {
      refresh: () => {
        timer.at = time + ms;
        timer.order = orders++;
        timers.add(timer);
      },
      close: () => void timers.delete(timer),
    };
  };
  return {
    now: () => time,
    after,
    pass(ms) {
      const end = time + ms;
      for (;;) {
        let next: { at: number; order: number; run(): void } | undefined;
        for (const timer of timers)
          if (
            timer.at <= end &&
            (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order))
          )
            next = timer;
        if (next === undefined) break;
        timers.delete(next);
        time = Math.max(time, next.at);
        next.run();
      }
      time = end;
    },
    set: () => timers.size,
  };
};
