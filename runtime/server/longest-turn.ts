/** How often the loop is looked at. */
const TICK_MS = 20;
const WINDOW_MS = 60_000;

/**
 * How long the event loop of this thread was held at most: the processor time between two ticks of a timer, so that a busy machine,
 * on which the thread waits for its turn, does not count.
 *
 * @param cpuMs the processor time of this thread so far
 * @param every calls back again and again, at the earliest after so many milliseconds
 */
export const watchTurns = (
  cpuMs: () => number = threadCpuMs,
  now: () => number = () => performance.now(),
  every: (ms: number, run: () => void) => void = (ms, run) => setInterval(run, ms).unref(),
): (() => number) => {
  let last = cpuMs();
  let begun = now();
  let longest = 0;
  let before = 0;
  every(TICK_MS, () => {
    const cpu = cpuMs();
    const time = now();
    if (time - begun > WINDOW_MS) {
      before = longest;
      longest = 0;
      begun = time;
    }
    longest = Math.max(longest, cpu - last);
    last = cpu;
  });
  // of the last minute, or two
  return () => Math.max(longest, before);
};

const threadCpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
