/** Work that may take long, in slices: between two of them the event loop turns, and with it the lease and everybody else's work. */

/** Each `yield` ends a slice, which is to take a few milliseconds at most. */
export type Sliced<T> = Generator<undefined, T>;

export const inSlices = async <T>(work: Sliced<T>): Promise<T> => {
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
};
