/** Draws from distributions, of a random number in [0, 1) that is passed in: a seed repeats a run. */

export type Random = () => number;

/** xoshiro128++ (Blackman and Vigna): long and even enough for hundreds of millions of draws. */
export const randomFrom = (seed: number): Random => {
  const state = new Uint32Array(4);
  let mixed = seed >>> 0;
  for (const at of state.keys()) {
    // splitmix32: neighbouring seeds give states that have nothing in common
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    state[at] = word ^ (word >>> 15);
  }
  const rotated = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
  return () => {
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const drawn = (rotated(a + d, 7) + a) >>> 0;
    const third = c ^ a;
    const fourth = d ^ b;
    state[1] = b ^ third;
    state[0] = a ^ fourth;
    state[2] = third ^ (b << 9);
    state[3] = rotated(fourth, 11);
    return drawn / 2 ** 32;
  };
};

/** Standard normal, by Box and Muller. */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Below it Knuth's product of uniforms takes few steps; above it Hörmann's transformed rejection is exact as well. */
const SMALL = 20;

export const poisson = (mean: number, random: Random): number =>
  mean < SMALL ? bySteps(mean, random) : byRejection(mean, random);

const bySteps = (mean: number, random: Random): number => {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
};

/** W. Hörmann, The transformed rejection method for generating Poisson random variables, 1993: algorithm PTRS. */
const byRejection = (mean: number, random: Random): number => {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const accepted = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = random() - 0.5;
    const v = random();
    const us = 0.5 - Math.abs(u);
    const count = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= accepted) return count;
    if (count < 0 || (us < 0.013 && v > us)) continue;
    const left = Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b);
    if (left <= count * Math.log(mean) - mean - logFactorial(count)) return count;
  }
};

/** Stirling's series; exact to 1e-9 from 10 on. */
const logFactorial = (n: number): number => {
  if (n < 10) return Math.log([1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880][n] ?? 1);
  const x = n + 1;
  return (
    (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5)
  );
};

/** P(Z ≤ z) of a standard normal Z, to 7.5e-8: Abramowitz and Stegun, 26.2.17. */
export const normalCdf = (z: number): number => {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail =
    (Math.exp(-(z * z) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z >= 0 ? 1 - tail : tail;
};
