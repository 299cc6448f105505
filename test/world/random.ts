/** Numbers in [0, 1) that a seed repeats (a linear congruential generator, constants of Numerical Recipes). */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
};
