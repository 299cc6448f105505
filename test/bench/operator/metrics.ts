/** The operator's own metrics, as text. Pure. */

/** The value of a metric without labels, such as `nodejs_eventloop_lag_p99_seconds`. Throws where there is none. */
export const gauge = (text: string, name: string): number => {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  if (line === undefined) throw new Error(`the operator exports no metric ${name}`);
  return Number(line.slice(name.length + 1));
};

/**
 * Nearest rank: of 50 samples the 0.99 quantile is the greatest. NaN of none.
 * @param share 0 to 1
 */
export const quantile = (samples: readonly number[], share: number): number =>
  samples.toSorted((one, other) => one - other)[Math.max(0, Math.ceil(share * samples.length) - 1)] ?? Number.NaN;
