/**
 * Noise that comes and goes, as numbers that can be summed over: an AR(1) process of mean 0 and variance 1 on nine nodes.
 * Rouwenhorst's method: the chain has the process's mean, variance and autocorrelation exactly, for every coefficient.
 */

export const NODES = 9;

/** The nodes, in standard deviations: −2.83 … 2.83. */
export const NODE_VALUES: readonly number[] = Array.from(
  { length: NODES },
  (_, node) => ((node - (NODES - 1) / 2) * 2) / Math.sqrt(NODES - 1),
);

/** How probable each node is before anything was seen: Binomial(8, ½). */
export const STATIONARY: readonly number[] = [1, 8, 28, 56, 70, 56, 28, 8, 1].map((ways) => ways / 256);

/** Row-major NODES × NODES: from the node of one interval to that of the next. `rho` is the autocorrelation, 0 ≤ rho < 1. */
export const transition = (rho: number): Float64Array => {
  const stay = (1 + rho) / 2;
  let size = 2;
  let matrix: Float64Array = Float64Array.of(stay, 1 - stay, 1 - stay, stay);
  while (size < NODES) {
    matrix = grow(matrix, size, stay);
    size++;
  }
  return matrix;
};

/** From `size` nodes to one more: the four corners overlap, so the rows between the first and the last are counted twice. */
const grow = (matrix: Float64Array, size: number, stay: number): Float64Array => {
  const next = size + 1;
  const grown = new Float64Array(next * next);
  const add = (to: number, amount: number) => {
    grown[to] = (grown[to] ?? 0) + amount;
  };
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const value = matrix[row * size + column] ?? 0;
      add(row * next + column, stay * value);
      add(row * next + column + 1, (1 - stay) * value);
      add((row + 1) * next + column, (1 - stay) * value);
      add((row + 1) * next + column + 1, stay * value);
    }
  }
  return grown.map((value, at) => (at < next || at >= size * next ? value : value / 2));
};
