/** ONNX's test vectors through the server: all, or a sample by a seed. */

import { checkVector, type VectorResult } from "./check.ts";
import { allVectors, type Vector } from "./data.ts";
import { startDirect } from "./direct.ts";

/** Servers at the same time. Each is one process that starts and one that loads, on machines of two cores. */
const SIDE_BY_SIDE = 2;
const PROGRESS_MS = 15_000;

export type Selection = { sample: number | "all"; seed: number; only: string | undefined };

export const runVectors = async (
  selection: Selection,
  report: (line: string) => void,
): Promise<{ results: VectorResult[]; of: number }> => {
  const all = await allVectors(report);
  const vectors = select(all, selection);
  report(`${vectors.length} of ${all.length} vectors, each by a server of its own`);
  const results: VectorResult[] = [];
  const waiting = [...vectors];
  const begun = performance.now();
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - begun) / 1000);
    report(`${results.length} of ${vectors.length} vectors after ${seconds} s`);
  }, PROGRESS_MS);
  const work = async (): Promise<void> => {
    const direct = startDirect();
    for (let vector = waiting.shift(); vector !== undefined; vector = waiting.shift()) {
      const result = await checkVector(vector, direct);
      if (result.outcome.kind === "failed") report(`FAILED ${result.name}: ${result.detail}`);
      results.push(result);
    }
    direct.stop();
  };
  try {
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
  } finally {
    clearInterval(progress);
  }
  return { results, of: all.length };
};

/** The same seed takes the same vectors, as long as the package is the same. */
export const select = (all: readonly Vector[], { sample, seed, only }: Selection): Vector[] => {
  const named = only === undefined ? [...all] : all.filter(({ name }) => name.includes(only));
  if (sample === "all" || named.length <= sample) return named;
  const rank = new Map(named.map((vector, i) => [vector, hash(seed, i)]));
  return named.sort((one, other) => (rank.get(one) ?? 0) - (rank.get(other) ?? 0)).slice(0, sample);
};

/** The finaliser of MurmurHash3: each bit of both numbers changes about half of the 32. */
const hash = (seed: number, i: number): number => {
  let bits = Math.imul(seed, 0x9e3779b1) ^ i;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
};

/** What is not served, grouped by reason, and how many are served. */
export const describeVectors = (results: readonly VectorResult[]): string[] => {
  const groups = new Map<string, VectorResult[]>();
  for (const result of results) {
    if (result.outcome.kind !== "unsupported") continue;
    const group = groups.get(result.outcome.reason) ?? [];
    group.push(result);
    groups.set(result.outcome.reason, group);
  }
  const lines = [...groups].sort(([, one], [, other]) => other.length - one.length);
  return lines.flatMap(([reason, group]) => [
    `  ${group.length} unsupported: ${reason}`,
    ...wrapped(group.map(({ name }) => name.replace(/^.*\/test_/, "")).sort()),
    ...group.slice(0, 1).map(({ name, detail }) => `      such as ${name}: ${detail.slice(0, 160)}`),
  ]);
};

const wrapped = (names: readonly string[]): string[] => {
  const lines: string[] = [];
  let line = "     ";
  for (const name of names) {
    if (line.length + name.length > 118) {
      lines.push(line);
      line = "     ";
    }
    line += ` ${name}`;
  }
  return [...lines, line];
};
