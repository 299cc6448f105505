/** `npm run bench -- NAME`: speed, always against a peer or a limit, interleaved in one run, as a ratio. */
import { cpus } from "node:os";
import type { Bench, Round } from "./bench.ts";
import { benchLibraries } from "./libraries/main.ts";
import { benchOperator } from "./operator/main.ts";
import { benchRollout } from "./rollout/main.ts";
import { benchRouter } from "./router/main.ts";
import { benchScaling } from "./scaling/main.ts";
import { serveBench } from "./serve.ts";
import { benchServer } from "./server/main.ts";

const BENCHES: Readonly<Record<string, Bench>> = { serve: serveBench };

const SERVER = "this server beside others, and onnxruntime alone: rate, latency, CPU, memory (--help: its options)";
const OPERATOR =
  "hundreds of ModelDeployments on one operator: speed, requests, memory, restarts, faults (--help: its options)";
const summaries = {
  server: SERVER,
  operator: OPERATOR,
  rollout:
    "made-up rollouts: how often the evidence, Flagger and Argo Rollouts are wrong, and how fast (--help: its options)",
  scaling:
    "made-up loads: how long requests wait and how long devices are held, by Berth's rule and by those of others (--help: its options)",
  libraries: "our parsers and codecs beside the libraries that would take their place (--help: its options)",
  router: "the router beside HAProxy and a plain undici proxy: CPU for a request, time added (--help: its options)",
  ...Object.fromEntries(Object.entries(BENCHES).map(([name, { summary }]) => [name, summary])),
};
const listing = Object.entries(summaries)
  .map(([name, summary]) => `  ${name.padEnd(9)} ${summary}`)
  .join("\n");

const name = process.argv[2];
if (name === "libraries") process.exit(await benchLibraries(process.argv.slice(3)));
if (name === "operator") process.exit(await benchOperator(process.argv.slice(3)));
if (name === "rollout") process.exit(benchRollout(process.argv.slice(3)));
if (name === "router") process.exit(await benchRouter(process.argv.slice(3)));
if (name === "scaling") process.exit(benchScaling(process.argv.slice(3)));
if (name === "server") process.exit(await benchServer(process.argv.slice(3)));
const bench = name === undefined ? undefined : BENCHES[name];
if (bench === undefined) {
  const asked = name === undefined || name === "--help";
  console.log(`${asked ? "" : `no bench ${name}\n`}npm run bench -- NAME\n${listing}`);
  process.exit(asked ? 0 : 2);
}

const of = (values: readonly number[], digits: number): string => {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share: number) => (sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN).toFixed(digits);
  return `${at(0.5).padStart(9)}  (${at(0)} to ${at(1)})`;
};

const rounds = await bench.run((line) => console.log(line));
console.log(`\n${bench.summary}; median (least to greatest) of ${rounds.length} rounds in turns`);
const column = (pick: (round: Round) => number) => rounds.map(pick);
console.log(
  `  ours   ${of(
    column(({ ours }) => ours),
    0,
  )} /s   ${bench.ours}`,
);
console.log(
  `  limit  ${of(
    column(({ limit }) => limit),
    0,
  )} /s   ${bench.limit}`,
);
console.log(
  `  ratio  ${of(
    column(({ ours, limit }) => ours / limit),
    3,
  )}`,
);
console.log(
  `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model ?? "processor unknown"}, Node ${process.version}`,
);
