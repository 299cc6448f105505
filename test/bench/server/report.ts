/** The figures as Markdown, as docs/benchmarks.md has them. Pure. */
import { figuresOf, type Goal, type ModelResults, median, rawFiguresOf } from "./results.ts";

/** Three digits, as many as runs on a shared machine are good for. */
const short = (value: number): string => {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  return value >= 100 ? value.toFixed(0) : `${Number(value.toPrecision(3))}`;
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.join(" | ")} |`,
  `| ${head.map((_, column) => (column === 0 ? "---" : "---:")).join(" | ")} |`,
  ...rows.map((row) => `| ${row.join(" | ")} |`),
];

const modelPart = (results: ModelResults, titleOf: (peer: string) => string): string[] => {
  const loads = results.rows.map((row) => {
    const { rate, p50, p99, cpu, generator, failed } = figuresOf(row);
    return [
      ...[`${titleOf(row.peer)}, ${row.protocol}, ${row.connections}`, short(rate), short(p50), short(p99), short(cpu)],
      ...[short(generator), failed === 0 ? "" : `${failed}`],
    ];
  });
  const limits = results.raw.map((row) => {
    const { processes, threads, batch } = row.setup;
    const { rate, cpuPerThousand } = rawFiguresOf(row);
    const name = `onnxruntime alone, ${processes} × ${threads} thread${threads === 1 ? "" : "s"}, batch of ${batch}`;
    return [name, short(rate), "", "", short(cpuPerThousand), "", ""];
  });
  const servers = results.servers.map(({ peer, coldStarts, idle }) => {
    const memory = Math.max(...results.rows.filter((row) => row.peer === peer).map((row) => figuresOf(row).memory));
    return [
      ...[titleOf(peer), short(median(coldStarts) / 1000), short(memory / 1e6)],
      idle === undefined ? "" : `${(idle * 100).toFixed(2)} %`,
    ];
  });
  return [
    `### ${results.title}`,
    "",
    ...table(
      [
        "server, protocol, connections",
        "answers/s",
        "p50 ms",
        "p99 ms",
        "CPU s per 1,000",
        "generator, cores",
        "failed",
      ],
      [...loads, ...limits],
    ),
    "",
    ...table(["server", "cold start s", "peak memory MB", "idle CPU"], servers),
    "",
  ];
};

const goalsPart = (goals: readonly Goal[]): string[] => [
  `### Goals: ${goals.filter(({ reached }) => reached).length} of ${goals.length} reached`,
  "",
  ...table(
    ["goal", "measured", "bound", ""],
    goals.map(({ text, value, bound, reached }) => [
      text,
      short(value),
      short(bound),
      reached ? "reached" : "**not reached**",
    ]),
  ),
  "",
];

export const markdown = (
  results: readonly ModelResults[],
  goals: readonly Goal[],
  notes: readonly string[],
  titleOf: (peer: string) => string,
): string =>
  [
    ...results.flatMap((each) => modelPart(each, titleOf)),
    ...goalsPart(goals),
    ...notes.map((note) => `- ${note}`),
  ].join("\n");
