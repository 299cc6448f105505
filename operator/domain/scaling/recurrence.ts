/** Load that comes all of a sudden again and again, at even intervals: batch jobs, polls, reports on the hour. Pure; times in seconds. */

/** Since `at`, a load that needed so many pods at most. */
export type Burst = { at: number; pods: number };

export type Recurrence = {
  /** The latest first. */
  bursts: readonly Burst[];
  /** The fewest pods that the load needed, of each of the last `CALM` seconds, the latest first. */
  calm: readonly number[];
};

export const NONE: Recurrence = { bursts: [], calm: [] };

/** A burst is twice what was needed within this time, and two pods more at least. */
const CALM = 30;
/** Two intervals tell; more of them are kept for nothing. */
const KEPT = 3;
/** Intervals that differ by more than this share are none of one clock. */
const EVEN = 0.1;
/** Seconds that the next one is waited for, before and after its time. */
const SLACK = 5;

/** @param pods that the load needs now, as a look of a whole second has it */
export const observeNeed = ({ bursts, calm }: Recurrence, pods: number, now: number): Recurrence => {
  const usual = Math.min(...calm);
  const isCalm = calm.length === CALM;
  const isBurst = isCalm && pods >= Math.max(2 * usual, usual + 2);
  const [latest, ...older] = bursts;
  const grown = latest === undefined ? [] : [{ ...latest, pods: Math.max(latest.pods, pods) }, ...older];
  return {
    bursts: isBurst ? [{ at: now, pods }, ...bursts].slice(0, KEPT) : now - (latest?.at ?? now) < CALM ? grown : bursts,
    // what came of a burst is no calm before another one
    calm: isBurst ? [] : [pods, ...calm].slice(0, CALM),
  };
};

/**
 * Pods that the next burst will need, from one start time before it is due: the fewest that the last ones needed. 0 where none is due, or
 * those there were keep no time.
 */
export const expectedPods = ({ bursts }: Recurrence, start: number, now: number): number => {
  const [last, before, first] = bursts;
  if (last === undefined || before === undefined || first === undefined) return 0;
  const [recent, earlier] = [last.at - before.at, before.at - first.at];
  const off = Math.abs(recent - earlier);
  if (off > EVEN * recent) return 0;
  const due = last.at + recent;
  const slack = SLACK + off;
  return now >= due - start - slack && now <= due + slack ? Math.min(last.pods, before.pods, first.pods) : 0;
};
