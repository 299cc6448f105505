/** The table of `npm run bench -- router`. */

export type Target = "no proxy" | "HAProxy" | "Berth's router" | "the same, 10 % shadowed" | "node:http and undici";
export type Body = "small JSON" | "600 KB";

/** `cpuMicroseconds` of the proxy's process for a request; p50 and p99 in milliseconds, at two connections. */
export type Figures = { cpuMicroseconds: number; rate: number; p50: number; p99: number };

export type Measured = { target: Target; body: Body; figures: Figures };

/** Goals: the router's CPU for a request as a multiple of HAProxy's. */
const GOALS: Readonly<Record<Body, number>> = { "small JSON": 1.9, "600 KB": 1.2 };

export const printReport = (all: readonly Measured[]): void => {
  const bodies = [...new Set(all.map(({ body }) => body))];
  for (const body of bodies) {
    const targets = [...new Set(all.map(({ target }) => target))];
    const of = (target: Target, pick: (figures: Figures) => number): number =>
      median(all.filter((one) => one.target === target && one.body === body).map(({ figures }) => pick(figures)));
    console.log(`\n${body}; medians of the rounds`);
    console.log("                           CPU µs/request   to HAProxy     rate/s   p50 added ms   p99 added ms");
    for (const target of targets) {
      const cpu = of(target, ({ cpuMicroseconds }) => cpuMicroseconds);
      const ratio = cpu / of("HAProxy", ({ cpuMicroseconds }) => cpuMicroseconds);
      const added = (pick: (figures: Figures) => number): string =>
        (of(target, pick) - of("no proxy", pick)).toFixed(2);
      console.log(
        `  ${target.padEnd(25)}${cpu.toFixed(1).padStart(14)}${ratio.toFixed(2).padStart(13)}${of(
          target,
          ({ rate }) => rate,
        )
          .toFixed(0)
          .padStart(11)}${added(({ p50 }) => p50).padStart(15)}${added(({ p99 }) => p99).padStart(15)}`,
      );
    }
    console.log(`  goal: Berth's router at most ${GOALS[body]} times HAProxy's CPU`);
  }
};

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
