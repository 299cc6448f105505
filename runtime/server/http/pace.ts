/** What can be paused and resumed, as a socket. */
export type Source = { pause(): unknown; resume(): unknown };

export type Pace = (from: Source, bytes: number) => void;

/** From here on it is looked at how much is read in one turn of the event loop. */
const SOME_BYTES = 1024 ** 2;
/** Above this, each connection that brings more waits for the next turn. */
const MOST_BYTES = 4 * 1024 ** 2;

/** What pieces leave behind: `collect` is called for each `mostBytes` of them. */
export type Remains = { mostBytes: number; collect(): void };

/**
 * In one turn the event loop reads up to 2 MB from each of a thousand connections. What is called with each piece that came lets those
 * that have brought much together wait, so that timers, probes and others have their turn.
 *
 * @param remains each piece is garbage once it was read, and V8 may wait with it for longer than a small memory limit lets it: a
 *   thousand connections bring 64 MB in one turn, within which nothing else collects. Default: that is V8's own affair.
 */
export const createPace = (
  remains: Remains | undefined = undefined,
  later: (run: () => void) => void = setImmediate,
): Pace => {
  let read = 0;
  let left = 0;
  let scheduled = false;
  let paused: Source[] = [];
  const next = (): void => {
    scheduled = false;
    read = 0;
    const sources = paused;
    paused = [];
    for (const source of sources) source.resume();
  };
  return (from, bytes) => {
    left += bytes;
    if (remains !== undefined && left >= remains.mostBytes) {
      left = 0;
      remains.collect();
    }
    read += bytes;
    if (read < SOME_BYTES) return;
    if (!scheduled) {
      scheduled = true;
      later(next);
    }
    if (read < MOST_BYTES) return;
    from.pause();
    paused.push(from);
  };
};
