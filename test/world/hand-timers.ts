import type { After } from "../../runtime/event-loop/after.ts";

/** Timers that run out when they are told to. */
export const handTimers = () => {
  const set = new Set<{ ms: number; run: () => void }>();
  const lengths: number[] = [];
  const after: After = (ms, run) => {
    const timer = { ms, run };
    lengths.push(ms);
    set.add(timer);
    return { refresh: () => void set.add(timer), close: () => void set.delete(timer) };
  };
  return {
    after,
    /** How many of this length were ever set. */
    begun: (ms: number): number => lengths.filter((length) => length === ms).length,
    /** Lets all of this length run out. */
    ring(ms: number): void {
      for (const timer of [...set]) {
        if (timer.ms !== ms) continue;
        set.delete(timer);
        timer.run();
      }
    },
  };
};
