/**
 * Turns of the event loop, one for each that waits. Passes that have nothing to wait for would otherwise run back to back, and the
 * lease, the probes and everybody else would wait for all of them.
 */
export const createTurns = (): (() => Promise<void>) => {
  let last = Promise.resolve();
  return () => {
    last = last.then(() => new Promise((resolve) => setImmediate(resolve)));
    return last;
  };
};
