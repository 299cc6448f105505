/**
 * Work that is too long to be done for all who ask in one turn of the event loop, though each piece is short: a thousand
 * requests that come together must not keep timers, probes and other clients waiting until the last is read.
 */
export type Turns = {
  /** Undefined where work of `ms` may be done now; else resolves in the turn in which it may. In the order of the calls. */
  take(ms: number): Promise<void> | undefined;
};

/** Of such work in one turn. A piece that is longer gets a turn of its own. */
const TURN_MS = 10;

/** @param later runs something in the next turn, after what has come meanwhile was read */
export const createTurns = (later: (run: () => void) => void = setImmediate): Turns => {
  let spent = 0;
  let scheduled = false;
  let waiting: { ms: number; go: () => void }[] = [];
  const fits = (ms: number): boolean => spent === 0 || spent + ms <= TURN_MS;
  const next = (): void => {
    scheduled = false;
    spent = 0;
    let count = 0;
    for (const { ms, go } of waiting) {
      if (!fits(ms)) break;
      spent += ms;
      count++;
      go();
    }
    if (count === 0) return;
    waiting = waiting.slice(count);
    schedule();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    later(next);
  };
  return {
    take(ms) {
      schedule();
      if (waiting.length === 0 && fits(ms)) {
        spent += ms;
        return undefined;
      }
      return new Promise((go) => waiting.push({ ms, go }));
    },
  };
};
