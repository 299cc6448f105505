/** What came of a trace, by rule: who is beaten, and by how much. Pure. */
import type { Outcome } from "./simulate.ts";

export type Result = Pick<Outcome, "gpuSeconds" | "lost" | "mean" | "p95" | "peak">;

export const meanOf = (outcomes: readonly Outcome[]): Result => {
  const mean = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length;
  return {
    p95: mean(({ p95 }) => p95),
    mean: mean((outcome) => outcome.mean),
    gpuSeconds: mean(({ gpuSeconds }) => gpuSeconds),
    peak: Math.max(...outcomes.map(({ peak }) => peak)),
    lost: Math.max(...outcomes.map(({ lost }) => lost)),
  };
};

/** One tick of the simulation: waits that differ by less are the same. */
const SAME_SECONDS = 0.02;

/** Who waits less and takes less. */
export const betterInBoth = (ours: Result, rivals: ReadonlyMap<string, Result>): string[] =>
  [...rivals].flatMap(([name, { gpuSeconds, p95 }]) =>
    p95 < ours.p95 - SAME_SECONDS && gpuSeconds < ours.gpuSeconds ? [name] : [],
  );

export type Margin =
  /** Of the device time of the cheapest rival that waits no longer than we do. */
  | { kind: "devices"; rival: string; share: number }
  /** Nobody waits as little: of the wait of the rival that waits least. */
  | { kind: "wait"; rival: string; share: number; devices: number };

export const marginOf = (ours: Result, rivals: ReadonlyMap<string, Result>): Margin | undefined => {
  const asQuick = [...rivals].filter(([, { p95 }]) => p95 <= ours.p95 + SAME_SECONDS);
  const [cheapest] = asQuick.toSorted(([, one], [, other]) => one.gpuSeconds - other.gpuSeconds);
  if (cheapest !== undefined)
    return { kind: "devices", rival: cheapest[0], share: ours.gpuSeconds / cheapest[1].gpuSeconds };
  const [quickest] = [...rivals].toSorted(([, one], [, other]) => one.p95 - other.p95);
  return (
    quickest && {
      ...{ kind: "wait", rival: quickest[0], share: ours.p95 / quickest[1].p95 },
      devices: ours.gpuSeconds / quickest[1].gpuSeconds,
    }
  );
};

/** The goal where load comes all of a sudden, stops, or meets slow starts. */
export const isWon = (margin: Margin): boolean =>
  margin.kind === "devices"
    ? margin.share <= 0.6
    : margin.devices <= 0.6 || (margin.share <= 0.75 && margin.devices <= 1);
