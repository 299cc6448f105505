/** What a rollout may meet. Whether the canary is as good as stable is known here, and to nobody who decides. */
import type { Traffic } from "./traffic.ts";
import { QUIET } from "./traffic.ts";

export type Scenario = { name: string; isGood: boolean; minutes: number; traffic: Traffic };

const BASE: Traffic = {
  perSecond: 10,
  weight: 0.1,
  stablePods: 4,
  canaryPods: 1,
  errors: { stable: 0.005, canary: 0.005 },
  slowdown: 1,
  disagreement: undefined,
  lost: 0,
  shadow: 0.1,
  noise: QUIET,
  incident: false,
};
const NOISY = { passing: 0.2, rho: 0.8, lasting: 0 };
const percent = (rate: number): string => `${Number((rate * 100).toFixed(2))} %`;

const good = (what: string, minutes: number, traffic: Partial<Traffic>): Scenario => {
  const all = { ...BASE, ...traffic };
  return { name: `identical, ${what}, ${all.perSecond} rps`, isGood: true, minutes, traffic: all };
};
const bad = (what: string, minutes: number, traffic: Partial<Traffic>): Scenario => {
  const all = { ...BASE, ...traffic };
  return { name: `${what}, ${all.perSecond} rps`, isGood: false, minutes, traffic: all };
};
const same = (rate: number) => ({ errors: { stable: rate, canary: rate } });
const besides = ({ noise, canaryPods }: Partial<Traffic>): string =>
  `${noise === undefined ? "" : ", noisy pods"}${canaryPods === undefined ? "" : `, ${canaryPods} canary pods`}`;
const errors = (stable: number, canary: number, perSecond: number, more: Partial<Traffic> = {}): Scenario => {
  const what = `${percent(stable)} → ${percent(canary)} errors${besides(more)}`;
  return bad(what, 60, { errors: { stable, canary }, perSecond, ...more });
};
const slower = (slowdown: number, perSecond: number, more: Partial<Traffic> = {}): Scenario =>
  bad(`×${slowdown} latency${besides(more)}`, 60, { slowdown, perSecond, ...same(0.002), ...more });

export const SCENARIOS: readonly Scenario[] = [
  good("0.2 % errors", 60, { ...same(0.002), perSecond: 0.5 }),
  good("0.5 % errors", 60, { perSecond: 2 }),
  good("0.5 % errors", 60, {}),
  good("1 % errors", 60, { ...same(0.01), perSecond: 50 }),
  ...[2, 10, 50].map((perSecond) => good("an incident of both", 60, { perSecond, incident: true })),
  ...[10, 50].map((perSecond) => good("noisy pods (20 %, AR 0.8)", 60, { perSecond, noise: NOISY })),
  good("noisy pods (20 %, AR 0.95)", 60, { perSecond: 50, noise: { ...NOISY, rho: 0.95 } }),
  good("nodes that differ by 5 %", 60, { perSecond: 50, noise: { ...NOISY, passing: 0, lasting: 0.05 } }),
  good("outputs compared", 60, { disagreement: 0.002 }),
  errors(0.002, 0.1, 0.5),
  errors(0.002, 0.05, 2),
  errors(0.002, 0.02, 10),
  errors(0.002, 0.02, 10, { noise: NOISY }),
  errors(0.002, 0.01, 10),
  errors(0.002, 0.5, 10),
  slower(1.25, 10),
  slower(1.5, 10),
  slower(1.5, 10, { noise: NOISY }),
  slower(1.5, 10, { noise: NOISY, canaryPods: 2 }),
  slower(1.5, 50, { noise: NOISY }),
  slower(2, 10, { noise: NOISY }),
  slower(1.5, 2),
  bad("5 % other outputs", 60, { disagreement: 0.05 }),
  bad("10 % other outputs", 60, { disagreement: 0.1 }),
  bad("4 % NaN for a number", 60, { disagreement: 0, lost: 0.04 }),
];
