/** Sums of numbers that are kept as logarithms, since evidence grows and shrinks by factors of thousands. */

/** ln Σ exp. −∞ for none. */
export const logSum = (logs: readonly number[]): number => {
  const most = Math.max(...logs);
  if (!Number.isFinite(most)) return most;
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0));
};

/** ln of the mean of exp. */
export const logMean = (logs: readonly number[]): number => logSum(logs) - Math.log(logs.length);

/** ln(1 + exp), exact where exp would overflow. */
export const softplus = (log: number): number =>
  log > 0 ? log + Math.log1p(Math.exp(-log)) : Math.log1p(Math.exp(log));
