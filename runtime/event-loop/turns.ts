/**
 * Work that is too long to be done for all who ask in one turn of the event loop, though each piece is short: a thousand
 * requests that come together must not keep timers, probes and other clients waiting until the last is read.
 */
export type Turns = {
  /**
   * Undefined where work of `ms` may be done now; else resolves in the turn in which it may. In the order of the calls, but what
   * is brief does not stand behind what is not.
   */
  take(ms: number): Promise<void> | undefined;
};

/** Of such work in one turn. A piece that is longer gets a turn of its own. */
const TURN_MS = 10;
/** No more is brief. A turn that is full of it has one longer piece besides, so that neither waits for ever. */
const BRIEF_MS = 1;

type Piece = { ms: number; go: () => void };

/** @param later runs something in the next turn, after what has come meanwhile was read */
export const createTurns = (later: (run: () => void) => void = setImmediate): Turns => {
  let spent = 0;
  let scheduled = false;
  let brief: Piece[] = [];
  let longer: Piece[] = [];
  const fits = (ms: number): boolean => spent === 0 || spent + ms <= TURN_MS;
  const run = ({ ms, go }: Piece): void => {
    spent += ms;
    go();
  };
  /** Runs those that fit, and gives the others. */
  const runFrom = (pieces: Piece[]): Piece[] => {
    const count = pieces.findIndex(({ ms, go }) => {
      if (!fits(ms)) return true;
      run({ ms, go });
      return false;
    });
    return count < 0 ? [] : pieces.slice(count);
  };
  const next = (): void => {
    scheduled = false;
    spent = 0;
    const waited = brief.length + longer.length > 0;
    brief = runFrom(brief);
    const [first, ...rest] = longer;
    if (first !== undefined) {
      run(first);
      longer = runFrom(rest);
    }
    if (waited) schedule();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    later(next);
  };
  return {
    take(ms) {
      schedule();
      const isBrief = ms <= BRIEF_MS;
      if (fits(ms) && brief.length === 0 && (isBrief || longer.length === 0)) {
        spent += ms;
        return undefined;
      }
      return new Promise((go) => (isBrief ? brief : longer).push({ ms, go }));
    },
  };
};
