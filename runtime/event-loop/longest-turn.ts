import { type After, after as afterMs } from "./after.ts";

/** How often the loop is looked at while there is work. */
const TICK_MS = 20;
/** And while there is none, so that an idle server does not wake up 50 times a second (0.5 % of a core). */
const IDLE_TICK_MS = 500;
/** A tick that used less (ms of processor time) had no work, unless somebody waits for an answer. */
const WORK_MS = 1;
const WINDOW_MS = 60_000;

export type LongestTurn = {
  /** Something is about to be read: what is used from here on is not added to what was used since the last tick. */
  awake(): void;
  /** In milliseconds, of the last minute, or two. */
  longestMs(): number;
};

/**
 * How long the event loop of this thread was held at most: the processor time between two ticks of a timer, so that a busy machine,
 * on which the thread waits for its turn, does not count.
 *
 * @param isWaited whether anything waits for an answer: what comes for it, from a shard or a timer, announces itself to nobody
 * @param cpuMs the processor time of this thread so far
 */
export const watchTurns = (
  isWaited: () => boolean,
  cpuMs: () => number = threadCpuMs,
  now: () => number = () => performance.now(),
  after: After = afterMs,
): LongestTurn => {
  let last = cpuMs();
  let begun = now();
  let longest = 0;
  let before = 0;
  let idle = false;
  const tick = (): void => {
    const cpu = cpuMs();
    const time = now();
    if (time - begun > WINDOW_MS) {
      before = longest;
      longest = 0;
      begun = time;
    }
    longest = Math.max(longest, cpu - last);
    idle = cpu - last < WORK_MS && !isWaited();
    last = cpu;
    timer = after(idle ? IDLE_TICK_MS : TICK_MS, tick);
  };
  let timer = after(TICK_MS, tick);
  return {
    awake() {
      if (!idle) return;
      idle = false;
      last = cpuMs();
      timer.close();
      timer = after(TICK_MS, tick);
    },
    longestMs: () => Math.max(longest, before),
  };
};

const threadCpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
