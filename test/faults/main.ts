/** `npm run test:faults -- NAME`: what is done to a part so that it fails, and how it holds. */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArguments } from "../../build/parse-arguments.ts";

const SUITES: Readonly<Record<string, string>> = {
  server: "hung, crashing and greedy models; hostile HTTP and gRPC; fuzzed decoders",
};
const HELP = `npm run test:faults -- NAME [--seed N] [--runs N]

${Object.entries(SUITES)
  .map(([name, summary]) => `  ${name.padEnd(8)} ${summary}`)
  .join("\n")}

  --seed N   of the fuzzed inputs (default: 1; printed)
  --runs N   fuzzed inputs for each decoder (default: 20000; a long run: 1000000)
  --help`;

const { values, positionals } = parseArguments("npm run test:faults --", {
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "20000" },
    help: { type: "boolean" },
  },
});
const [suite] = positionals;
if (values.help === true || suite === undefined || !Object.hasOwn(SUITES, suite)) {
  console.log(HELP);
  process.exit(values.help === true ? 0 : 2);
}
console.log(`faults of the ${suite}: --seed ${values.seed} --runs ${values.runs}`);
const files = globSync(`${fileURLToPath(new URL(`./${suite}/`, import.meta.url))}*.test.ts`).sort();
const child = spawn(process.execPath, ["--test", "--test-concurrency=1", ...files], {
  stdio: "inherit",
  env: { ...process.env, FUZZ_SEED: values.seed, FUZZ_RUNS: values.runs },
});
child.once("exit", (code) => process.exit(code ?? 1));
