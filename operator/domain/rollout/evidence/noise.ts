/**
 * How much pods of one and the same version differ: what a difference between the arms has to exceed.
 * All variances are of the logarithm: of the rate for events, of the time for latency.
 */

/** What is believed of the pods' noise. */
export type Noise = {
  /** Variance of what comes and goes, from one pod to another. */
  sigma2: number;
  /** Its autocorrelation from one interval to the next. */
  rho: number;
  /** Degrees of freedom behind `sigma2`: how sure it is. */
  nu: number;
  /** Variance of what stays: a slower node, a hotter device. */
  tau2: number;
};

/** The noise of the difference between the arms: standard deviations at each of the possible sizes, the median one first. */
export type Contrast = {
  /** Of what comes and goes. */
  passing: readonly number[];
  /** Of what stays. */
  lasting: readonly number[];
};

/** The 50 %, 90 % and 99 % points of what the noise's variance may be, and the weights of the parts that they stand for. */
const QUANTILES = [
  { weight: 0.7, z: 0 },
  { weight: 0.25, z: -1.2816 },
  { weight: 0.05, z: -2.3263 },
];
export const SCALE_WEIGHTS: readonly number[] = QUANTILES.map(({ weight }) => weight);

/** ν / χ²(ν) at the normal quantile −z, by Wilson and Hilferty's approximation. */
export const varianceFactor = (z: number, nu: number): number => (1 - 2 / (9 * nu) + z * Math.sqrt(2 / (9 * nu))) ** -3;

/**
 * Variance of the difference between the arms, in units of one pod's: Σ of the squared shares of each arm's pods. Even traffic
 * on m and K pods has 1/m + 1/K.
 */
export const varianceOfContrast = (canary: readonly number[], stable: readonly number[]): number =>
  squaredShares(canary) + squaredShares(stable);

const squaredShares = (requests: readonly number[]): number => {
  const total = requests.reduce((sum, each) => sum + each, 0);
  return total === 0 ? 0 : requests.reduce((sum, each) => sum + (each / total) ** 2, 0);
};

/**
 * `variance` from `varianceOfContrast`. `scaled`: what stays is as uncertain as what comes and goes, as where both are believed
 * and not measured.
 */
export const contrastOf = ({ sigma2, nu, tau2 }: Noise, variance: number, scaled: boolean): Contrast => {
  const factors = QUANTILES.map(({ z }) => varianceFactor(z, nu));
  return {
    passing: factors.map((factor) => Math.sqrt(sigma2 * variance * factor)),
    lasting: factors.map((factor) => Math.sqrt(tau2 * variance * (scaled ? factor : 1))),
  };
};
