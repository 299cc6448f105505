/**
 * The operator decides by the API server's time or by a monotonic clock: two of its processes may run on nodes whose clocks differ by
 * minutes, and one of them takes over what the other has begun. So only one file reads the node's own clock.
 */
const DOOR = "operator/platform/kube/server-clock.ts";

const READS = /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\)/;

/** One line for each read of the node's clock, as `file:line: what to do`. */
export const readsOfTheClock = (file: string, source: string): string[] => {
  if (!file.startsWith("operator/") || file === DOOR) return [];
  return source
    .split("\n")
    .flatMap((line, i) =>
      READS.test(line) ? [`${file}:${i + 1}: use the clock that is passed in: a node's own may be off (${DOOR})`] : [],
    );
};
