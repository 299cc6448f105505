/**
 * How many requests are under way at one time. One that is slow gives its place up: a webhook that hangs in one namespace would take all
 * places for its half minute each, and everybody else would wait for them.
 */
export type Places = {
  /** Resolves to the function that gives the place back; rejects with the signal's reason. `group`: what is slow together. */
  take(group: string, signal: AbortSignal): Promise<() => void>;
};

export type PlacesOptions = {
  most: number;
  /** From then on (ms) it is slow. */
  slowMs: number;
  /** So many slow ones of a group hold up the others of it: the API server must not be filled with them. */
  mostSlow: number;
};

type Waiting = { group: string; begin(): void };

export const createPlaces = ({ most, mostSlow, slowMs }: PlacesOptions): Places => {
  const waiting = new Set<Waiting>();
  const slow = new Map<string, number>();
  let taken = 0;

  const count = (group: string, by: 1 | -1): void => {
    const left = (slow.get(group) ?? 0) + by;
    if (left === 0) slow.delete(group);
    else slow.set(group, left);
  };
  const next = (): void => {
    for (const one of waiting) {
      if (taken >= most) return;
      if ((slow.get(one.group) ?? 0) >= mostSlow) continue;
      waiting.delete(one);
      one.begin();
    }
  };
  const hold = (group: string): (() => void) => {
    let isSlow = false;
    let isOver = false;
    taken += 1;
    const timer = setTimeout(() => {
      isSlow = true;
      taken -= 1;
      count(group, 1);
      next();
    }, slowMs);
    return () => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      if (isSlow) count(group, -1);
      else taken -= 1;
      next();
    };
  };

  return {
    take: (group, signal) =>
      new Promise((resolve, reject) => {
        const onAbort = (): void => {
          waiting.delete(one);
          reject(signal.reason);
        };
        const one: Waiting = {
          group,
          begin() {
            signal.removeEventListener("abort", onAbort);
            resolve(hold(group));
          },
        };
        if (signal.aborted) return onAbort();
        signal.addEventListener("abort", onAbort, { once: true });
        waiting.add(one);
        next();
      }),
  };
};
