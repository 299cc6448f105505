/** What was measured, and what it comes to: medians, and the goals as ratios. Pure. */
import type { Protocol } from "./dialects.ts";
import type { Load } from "./load.ts";
import type { ModelName } from "./models.ts";
import type { RawFigures, Setup } from "./raw.ts";

/** One load of one server. `cpu`: seconds of its whole process tree; `memory`: bytes of it (PSS) right after. */
export type Sample = Load & { cpu: number; memory: number };

/** `samples` has one entry a run. */
export type Row = { peer: string; protocol: Protocol; connections: number; samples: Sample[] };
export type RawRow = { setup: Setup; samples: RawFigures[] };
/** `coldStarts` in ms; `idle` in CPU seconds a second, where it was measured. */
export type ServerFacts = { peer: string; coldStarts: number[]; idle?: number };
export type ModelResults = { model: ModelName; title: string; rows: Row[]; raw: RawRow[]; servers: ServerFacts[] };

export type Figures = {
  rate: number;
  p50: number;
  p99: number;
  cpu: number;
  memory: number;
  generator: number;
  failed: number;
};

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  const high = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + high) / 2 : high;
};

/** Medians over the runs: answers a second, ms, CPU seconds a thousand answers, share of one core of the load generator. */
export const figuresOf = ({ samples }: Row): Figures => {
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick));
  return {
    rate: of(({ answers, seconds }) => answers / seconds),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    cpu: of(({ cpu, answers }) => (cpu / answers) * 1000),
    memory: Math.max(...samples.map(({ memory }) => memory)),
    generator: of(({ generatorCpu, seconds }) => generatorCpu / seconds),
    failed: samples.reduce((sum, { failed }) => sum + failed, 0),
  };
};

export const rawFiguresOf = ({ samples }: RawRow): RawFigures => ({
  rate: median(samples.map(({ rate }) => rate)),
  cpuPerThousand: median(samples.map(({ cpuPerThousand }) => cpuPerThousand)),
});

/** `value` and `bound` are ratios unless the text says otherwise; undefined: nothing to compare with. */
export type Goal = { text: string; value: number; bound: number; reached: boolean };

const OURS = "berth";

const atMost = (text: string, value: number, bound: number): Goal => ({ text, value, bound, reached: value <= bound });
const atLeast = (text: string, value: number, bound: number): Goal => ({ text, value, bound, reached: value >= bound });

const mostConnections = (rows: readonly Row[]): number => Math.max(...rows.map(({ connections }) => connections));

/** Half of Triton's CPU and twice its rate, in each protocol that both speak. */
const perceptronGoals = ({ rows, title }: ModelResults): Goal[] => {
  const most = mostConnections(rows);
  return rows
    .filter(({ peer, connections }) => peer === OURS && connections === most)
    .flatMap((row) => {
      const other = rows.find(
        ({ peer, protocol, connections }) => peer === "triton" && protocol === row.protocol && connections === most,
      );
      if (other === undefined) return [];
      const [ours, triton] = [figuresOf(row), figuresOf(other)];
      const where = `${title}, ${row.protocol}, ${most} connections`;
      return [
        atMost(`${where}: CPU to Triton's`, ours.cpu / triton.cpu, 0.5),
        atLeast(`${where}: rate to Triton's`, ours.rate / triton.rate, 2),
      ];
    });
};

/** The setup of onnxruntime alone that answers most, each item by itself or in batches: the limit of any server. */
const bestRaw = (results: ModelResults): RawFigures | undefined =>
  results.raw
    .map(rawFiguresOf)
    .reduce<RawFigures | undefined>((best, raw) => (best && best.rate >= raw.rate ? best : raw), undefined);

const rawGoals = (results: ModelResults): Goal[] => {
  const most = mostConnections(results.rows);
  const raw = bestRaw(results);
  return results.rows
    .filter(({ peer, connections }) => peer === OURS && connections === most)
    .flatMap((row) => {
      const ours = figuresOf(row);
      const where = `${results.title}, ${row.protocol}, ${most} connections`;
      const others = results.rows.filter(({ peer, connections }) => peer !== OURS && connections === most);
      const rival = Math.max(...others.map((other) => figuresOf(other).rate));
      const goals: Goal[] = [];
      if (raw !== undefined && results.model === "minilm") {
        goals.push(atLeast(`${where}: rate to onnxruntime alone`, ours.rate / raw.rate, 0.9));
      }
      if (others.length > 0 && results.model === "ocr") {
        goals.push(atLeast(`${where}: rate to the best peer's`, ours.rate / rival, 1.5));
      }
      if (raw !== undefined) {
        const bound = results.model === "ocr" ? 1.03 : 1.05;
        goals.push(atMost(`${where}: CPU to onnxruntime alone`, ours.cpu / raw.cpuPerThousand, bound));
      }
      return goals;
    });
};

const tailGoals = ({ rows, title }: ModelResults): Goal[] =>
  rows
    .filter(({ peer }) => peer === OURS)
    .flatMap((row) => {
      const others = rows.filter(
        ({ peer, protocol, connections }) =>
          peer !== OURS && protocol === row.protocol && connections === row.connections,
      );
      if (others.length === 0) return [];
      const best = Math.min(...others.map((other) => figuresOf(other).p99));
      const where = `${title}, ${row.protocol}, ${row.connections} connections`;
      return [atMost(`${where}: p99 to the best peer's`, figuresOf(row).p99 / best, 1)];
    });

const ownGoals = ({ servers, title }: ModelResults): Goal[] =>
  servers
    .filter(({ peer }) => peer === OURS)
    .flatMap(({ coldStarts, idle }) => [
      atMost(`${title}: cold start to the first right answer, s`, median(coldStarts) / 1000, 1),
      ...(idle === undefined ? [] : [atMost("idle: CPU, share of a core", idle, 0.005)]),
    ]);

export const goalsOf = (results: readonly ModelResults[]): Goal[] =>
  results.flatMap((each) => [
    ...(each.model === "tiny" || each.model === "mid" ? perceptronGoals(each) : rawGoals(each)),
    ...tailGoals(each),
    ...ownGoals(each),
  ]);
