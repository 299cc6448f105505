/** Work that may take long, in slices: between two of them the event loop turns, and with it the lease and everybody else's work. */

/** Each `yield` ends a slice, which is to take a few milliseconds at most. */
export type Sliced<T> = Generator<undefined, T>;

export const inSlices = async <T>(work: Sliced<T>): Promise<T> => {
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
};

/** Steps of a slice; each is a node that is looked at, a pod that is placed or a quantity that is added, of microseconds. */
const MOST_STEPS = 500;

/** Told of the steps that come next; ends the slice where they are too many for it. */
export type Pause = (steps: number) => Sliced<void>;

export const createPause = (): Pause => {
  let steps = 0;
  return function* pause(more) {
    steps += more;
    if (steps < MOST_STEPS) return;
    steps = 0;
    yield;
  };
};
