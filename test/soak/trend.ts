/** What is asked of a series of samples of something that must not grow. */
export type Bound = { what: string; unit: string; relative: number; absolute: number };

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};

/**
 * Compares the last third of the samples with the third before it; the first is warm-up, in which heaps and pools find their
 * size. Medians, because single samples are taken at any moment of a garbage collection. Undefined: it does not grow.
 */
export const growth = (samples: readonly number[], { what, unit, relative, absolute }: Bound): string | undefined => {
  const third = Math.floor(samples.length / 3);
  if (third < 3) return `${what}: only ${samples.length} samples, which say nothing; run longer`;
  const [before, after] = [median(samples.slice(third, 2 * third)), median(samples.slice(2 * third))];
  if (after <= before * (1 + relative) || after <= before + absolute) return undefined;
  return `${what} grows: ${before.toFixed(1)} ${unit} in the second third, ${after.toFixed(1)} ${unit} in the last`;
};
