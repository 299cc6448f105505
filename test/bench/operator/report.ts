/** The tables: figures beside goals, and beside what others had on such a machine. Pure. */
import type { Named } from "./faults.ts";
import type { Changed, Created, Idle, Spread } from "./phases.ts";
import type { Restarted } from "./restart.ts";

export type Run = {
  count: number;
  created: Created;
  idle: Idle;
  changed: Changed;
  restarted: Restarted;
  peakMiB: number;
  deletedSeconds: number;
};

export type Results = { runs: Run[]; faults: Named[] };

/**
 * Measured on 2026-11-23 with the same method on a machine of this size (2 cores, 24 GB, Debian 12, Kubernetes 1.35.4, KWOK nodes), one
 * run each: KServe v0.20.0 in Standard mode, Argo Rollouts v1.10.2. By number of objects; a gap where none was measured.
 */
const PEERS: Record<string, Record<number, Record<string, string>>> = {
  "Argo Rollouts 1.10": {
    100: {
      exist: "3.6",
      ready: "10.6",
      requests: "11.7",
      peak: "101",
      change: "9.6 / 16.5",
      perChange: "15",
      restart: "217 to 363",
      deleted: "",
    },
    500: {
      exist: "27.9",
      ready: "60.6",
      requests: "10.2",
      peak: "131",
      change: "10.5 / 31.9",
      perChange: "15",
      restart: "586 to 791",
      deleted: "8.8",
    },
    1000: {
      exist: "55",
      ready: "127.8",
      requests: "10.2",
      peak: "170",
      change: "12 / 51.9",
      perChange: "15",
      restart: "",
      deleted: "",
    },
  },
  "KServe 0.20": {
    100: {
      exist: "22.1",
      ready: "26.4",
      requests: "23",
      peak: "95",
      change: "60.8 / 177",
      perChange: "36",
      restart: "1,301 to 2,915",
      deleted: "",
    },
    500: {
      exist: "119.6",
      ready: "142.4",
      requests: "19.4",
      peak: "126",
      change: "56.2 / 202",
      perChange: "36",
      restart: "8,621 to 12,997",
      deleted: "56",
    },
    1000: {
      exist: "150.7",
      ready: "193.4",
      requests: "23",
      peak: "161",
      change: "",
      perChange: "",
      restart: "",
      deleted: "",
    },
  },
};

const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2));
const both = ({ p50, p99 }: Spread): string => `${number(p50)} / ${number(p99)}`;
const table = (head: string[], rows: string[][]): string =>
  [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

const comparison = ({ count, created, changed, restarted, peakMiB, deletedSeconds }: Run): string => {
  const served = restarted.servedMs.map(number).join(", ");
  const lines: [key: string, label: string, ours: string][] = [
    ["exist", "children of all exist, s", number(created.childrenExistSeconds)],
    ["ready", "all Ready in their own status, s", number(created.allReadySeconds)],
    ["requests", "requests per object", number(created.requestsPerObject)],
    ["peak", "peak memory, MiB", number(peakMiB)],
    ["change", "change accepted → in a child, p50 / p99 ms", both(changed.acceptedToChildMs)],
    ["perChange", "requests per change", number(changed.requestsPerChange)],
    ["restart", "kill -9 → change served, ms", served],
    ["deleted", "all deleted, children gone, s", number(deletedSeconds)],
  ];
  const peers = Object.entries(PEERS);
  return table(
    [`${count} objects`, "Berth", ...peers.map(([name]) => name)],
    lines.map(([key, label, ours]) => [label, ours, ...peers.map(([, figures]) => figures[count]?.[key] ?? "")]),
  );
};

const details = (runs: readonly Run[]): string => {
  const line = (label: string, of: (run: Run) => string): string[] => [label, ...runs.map(of)];
  return table(
    ["Berth", ...runs.map(({ count }) => `${count} objects`)],
    [
      line("applied, s", ({ created }) => number(created.appliedSeconds)),
      line("children ready, s", ({ created }) => number(created.childrenReadySeconds)),
      line("operator quiet, s", ({ created }) => number(created.quietSeconds)),
      line("CPU per object, ms", ({ created }) => number(created.cpuMsPerObject)),
      line("CPU per change, ms", ({ changed }) => number(changed.cpuMsPerChange)),
      line("the least that a change takes here (a loop that decides nothing), p50 / p99 ms", ({ changed }) =>
        both(changed.limitMs),
      ),
      line("change accepted → in a child, times that, p50 / p99", ({ changed: { acceptedToChildMs, limitMs } }) =>
        both({ p50: acceptedToChildMs.p50 / limitMs.p50, p99: acceptedToChildMs.p99 / limitMs.p99 }),
      ),
      line("change sent → in a child, p50 / p99 ms", ({ changed }) => both(changed.sentToChildMs)),
      line(
        "event-loop delay p99, creating / changing, ms",
        ({ created, changed }) => `${number(created.eventLoopP99Ms)} / ${number(changed.eventLoopP99Ms)}`,
      ),
      line(
        "idle: requests; memory MiB; CPU %",
        ({ idle }) => `${idle.requests} in ${idle.seconds} s; ${number(idle.rssMiB)}; ${number(idle.cpuPercent)}`,
      ),
      line(
        "requests (writes) per restart",
        ({ restarted }) => `${number(restarted.requestsPerRestart)} (${number(restarted.writesPerRestart)})`,
      ),
      line("API server, list of one, p50 / p99 ms: creating", ({ created }) => both(created.apiServerMs)),
      line("API server, list of one, p50 / p99 ms: changing", ({ changed }) => both(changed.apiServerMs)),
      line("load average: creating", ({ created }) => created.load),
      line("load average: changing", ({ changed }) => changed.load),
    ],
  );
};

const requestTable = (runs: readonly Run[]): string =>
  runs
    .flatMap(({ count, created, changed }) => [
      `${count} objects, per object: ${created.requests.map(([what, times]) => `${what} ${number(times)}`).join(", ")}`,
      `${count} objects, per change: ${changed.requests.map(([what, times]) => `${what} ${number(times)}`).join(", ")}`,
    ])
    .join("\n\n");

export type Goal = { goal: string; wanted: string; figure: string; isReached: boolean };

/** The goals hold for 1,000 objects, the restart's for 500; a run without them has none. */
export const goalsOf = ({ runs, faults }: Results): Goal[] => {
  const goals: Goal[] = [];
  const goal = (what: string, value: number, most: number, unit: string): void => {
    goals.push({
      goal: what,
      wanted: `≤ ${most} ${unit}`,
      figure: `${number(value)} ${unit}`,
      isReached: value <= most,
    });
  };
  const thousand = runs.find(({ count }) => count === 1000);
  if (thousand !== undefined) {
    const { created, changed, idle, peakMiB } = thousand;
    goal("children of all 1,000 exist", created.childrenExistSeconds, 45, "s");
    goal("change accepted → in a child, p50", changed.acceptedToChildMs.p50, 12, "ms");
    goal("change accepted → in a child, p99", changed.acceptedToChildMs.p99, 40, "ms");
    goal("peak memory, Node's start included", peakMiB, 200, "MiB");
    goal("requests per object", created.requestsPerObject, 12, "");
    goal("requests per change", changed.requestsPerChange, 12, "");
    goal("requests when idle", idle.requests, 0, "");
    goal("event-loop delay p99", Math.max(created.eventLoopP99Ms, changed.eventLoopP99Ms), 20, "ms");
  }
  const half = runs.find(({ count }) => count === 500);
  if (half !== undefined)
    goal("kill -9 → change served, at 500", Math.max(...half.restarted.servedMs) / 1000, 0.6, "s");
  for (const { fault, seconds } of faults) {
    goal(`names the cause: ${fault}`, seconds ?? Number.POSITIVE_INFINITY, 10, "s");
  }
  return goals;
};

export const markdown = (results: Results): string => {
  const { runs, faults } = results;
  const goals = goalsOf(results);
  const reached = goals.filter(({ isReached }) => isReached).length;
  return [
    ...runs.map(comparison),
    details(runs),
    requestTable(runs),
    ...(faults.length === 0
      ? []
      : [
          table(
            ["fault", "named after, s", "the status's message"],
            faults.map(({ fault, seconds, message }) => [
              fault,
              seconds === undefined ? "not within 60" : number(seconds),
              message.replaceAll("|", "\\|").replaceAll("\n", " "),
            ]),
          ),
        ]),
    ...(goals.length === 0
      ? []
      : [
          `${reached} of ${goals.length} goals reached`,
          table(
            ["goal", "wanted", "figure", ""],
            goals.map(({ goal, wanted, figure, isReached }) => [
              goal,
              wanted,
              figure,
              isReached ? "reached" : "missed",
            ]),
          ),
        ]),
  ].join("\n\n");
};
