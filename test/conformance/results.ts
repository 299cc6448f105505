/** What a suite has to say of one behaviour. */
export type CheckResult = { suite: string; name: string; ok: boolean; detail: string };

export const describeCheck = ({ suite, name, ok, detail }: CheckResult): string =>
  `${ok ? "ok     " : "FAILED "} ${suite}: ${name}${detail === "" ? "" : `: ${detail}`}`;

/** One row for each suite. */
export const table = (results: readonly CheckResult[]): string[] => {
  if (results.length === 0) return [];
  const suites = [...new Set(results.map(({ suite }) => suite))];
  const width = Math.max(...suites.map((suite) => suite.length), "suite".length);
  const row = (suite: string, passed: string, failed: string): string =>
    `${suite.padEnd(width)}  ${passed.padStart(6)}  ${failed.padStart(6)}`;
  return [
    row("suite", "passed", "failed"),
    ...suites.map((suite) => {
      const own = results.filter((result) => result.suite === suite);
      const passed = own.filter(({ ok }) => ok).length;
      return row(suite, String(passed), String(own.length - passed));
    }),
  ];
};
