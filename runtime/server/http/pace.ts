/** What can be paused and resumed, as a socket. */
export type Source = { pause(): unknown; resume(): unknown };

/** From here on it is looked at how much is read in one turn of the event loop. */
const SOME_BYTES = 1024 ** 2;
/** Above this, each connection that brings more waits for the next turn. */
const MOST_BYTES = 4 * 1024 ** 2;

/**
 * In one turn the event loop reads up to 2 MB from each of a thousand connections. What is called with each piece that came lets those
 * that have brought much together wait, so that timers, probes and others have their turn.
 */
export const createPace = (
  later: (run: () => void) => void = setImmediate,
): ((from: Source, bytes: number) => void) => {
  let read = 0;
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
