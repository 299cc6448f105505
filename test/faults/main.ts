/** `npm run test:faults -- NAME`: what is done to a part so that it fails, and how it holds. */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArguments } from "../../build/parse-arguments.ts";
import { fuzz } from "./fuzz/main.ts";
import { SCENARIO_NAMES, testOperator } from "./operator/main.ts";

const HELP = `npm run test:faults -- server [--seed N] [--runs N]
npm run test:faults -- router [--seed N] [--runs N]
npm run test:faults -- server|router --minutes N [--seed N]
npm run test:faults -- server|router --case K [--seed N]
npm run test:faults -- operator [--seed N] [--sample N|all] [--scenario A,B] [--fault WORDS] [--keep]

  server     hung, crashing and greedy models; hostile HTTP and gRPC; fuzzed decoders; a memory limit of 512 MiB (a cgroup: root)
  router     half-dead pods; clients that send what nobody should, open streams without an end, or do not read
  operator   on a dev cluster: kill -9 around each write, bad API servers and networks, two leaders

  --seed N        of what is made up or chosen (default: 1 for server and router, another each day for the operator; printed)
  --runs N        server: fuzzed inputs for each decoder (default: 20000; a long run: 1000000);
                  router: rounds with other pods, requests and bytes (default: 5, a minute in all; a long run: 1000)
  --minutes N     server, router: instead of all that, made-up clients (and pods) against a real process for so long; after each case
                  others are served, and memory and handles come back. What fails is told with its seed and case
  --case K        server, router: of those, the case with this number alone
  --sample N      operator: so many places to be killed at in each of two scenarios, and so many other faults (default: 3);
                  all: every one of every scenario, about an hour
  --scenario A,B  operator: of ${SCENARIO_NAMES.join(", ")} (default: all)
  --fault WORDS   operator: only what is not a kill and has these words in its name, all of it
  --keep          operator: leave the cluster up; npm run cluster -- down --name faults ends it
  --help`;

const { values, positionals } = parseArguments("npm run test:faults --", {
  allowPositionals: true,
  options: {
    seed: { type: "string" },
    runs: { type: "string" },
    minutes: { type: "string" },
    case: { type: "string" },
    sample: { type: "string", default: "3" },
    scenario: { type: "string", default: "" },
    fault: { type: "string" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean" },
  },
});

/** What is in a folder, one file after the other: they measure memory, and what others do to a process. */
const testFolder = async (name: string, runs: string, variables: Record<string, string>): Promise<boolean> => {
  console.log(`faults of the ${name}: --seed ${variables.FUZZ_SEED} --runs ${runs}`);
  const files = globSync(`${fileURLToPath(new URL(`./${name}/`, import.meta.url))}*.test.ts`).sort();
  const child = spawn(process.execPath, ["--test", "--test-concurrency=1", ...files], {
    stdio: "inherit",
    env: { ...process.env, ...variables },
  });
  return await new Promise((resolve) => child.once("exit", (code) => resolve(code === 0)));
};

const positive = (option: string, text: string): number => {
  const number = Number(text);
  if (number > 0) return number;
  console.error(`--${option}: a number above 0 is wanted, not "${text}"; see npm run test:faults -- --help`);
  process.exit(2);
};

const testOrFuzz = (target: "server" | "router", test: () => Promise<boolean>): Promise<boolean> => {
  const { minutes, seed = "1" } = values;
  if (minutes === undefined && values.case === undefined) return test();
  console.log(`made-up clients against the ${target}: --seed ${seed}`);
  return fuzz({
    target,
    seed: positive("seed", seed),
    minutes: positive("minutes", minutes ?? "1"),
    only: values.case === undefined ? undefined : positive("case", values.case),
  });
};

const testServer = (): Promise<boolean> => {
  const { runs = "20000", seed = "1" } = values;
  return testFolder("server", runs, { FUZZ_SEED: seed, FUZZ_RUNS: runs });
};

const testRouter = (): Promise<boolean> => {
  const { runs = "5", seed = "1" } = values;
  return testFolder("router", runs, { FUZZ_SEED: seed, FUZZ_ROUNDS: runs });
};

const suites: ReadonlyMap<string, () => Promise<boolean>> = new Map([
  ["server", () => testOrFuzz("server", testServer)],
  ["router", () => testOrFuzz("router", testRouter)],
  [
    "operator",
    () => {
      const seed = Number(values.seed ?? Math.floor(Date.now() / 86_400_000));
      console.log(`faults of the operator: --seed ${seed} --sample ${values.sample}`);
      return testOperator({
        seed,
        sample: values.sample === "all" ? undefined : Number(values.sample),
        scenarios: values.scenario.split(",").filter((name) => name !== ""),
        fault: values.fault,
        cluster: "faults",
        keep: values.keep,
      });
    },
  ],
]);

const [name = ""] = positionals;
const suite = suites.get(name);
if (values.help === true || suite === undefined) {
  console.log(HELP);
  process.exit(values.help === true ? 0 : 2);
}
process.exit((await suite()) ? 0 : 1);
