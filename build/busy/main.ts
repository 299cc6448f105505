/** `npm run test:busy`: the tests, or any command, on a machine whose cores others use as well. */
import { spawn } from "node:child_process";
import { availableParallelism, constants, loadavg } from "node:os";
import { resolve } from "node:path";
import { parseBusy, type Wanted } from "./arguments.ts";
import { startLoops } from "./loops.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const REPORT_MS = 5 * 60_000;

const HELP = `Usage: npm run test:busy -- [--loops N] [COMMAND [ARGUMENT…]]

Runs \`npm test\`, or COMMAND, in the repository's root with busy loops beside it, which take their share of every core.
Tests must pass there: they wait for events, and for nothing by the clock. The loops end with the command, or with this process.

  --loops N   how many (default: 8)
  --help      this text

  npm run test:busy -- node --test runtime/server/drain.test.ts
  npm run test:busy -- --loops 16 npm run test:faults -- server

Exits as COMMAND does; with 1 where a loop ended before it, for then the machine was less busy than wanted.`;

const started = performance.now();
const report = (line: string): void =>
  console.error(`[busy ${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s] ${line}`);

/** Resolves with the exit code; 128 and the signal's number where a signal ended it, as a shell has it. */
const run = ([program = "", ...args]: readonly string[]): Promise<number> =>
  new Promise((done, failed) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: "inherit" });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
    child.once("error", (error) => failed(new Error(`${program} cannot be started: ${error.message}`)));
    child.once("close", (code, signal) => done(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });

const beside = async ({ loops: count, command }: Wanted): Promise<number> => {
  const loops = startLoops(count);
  const load = (): string => `${count} busy loops on ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}`;
  const reports = setInterval(() => report(`${load()}; still running: ${command.join(" ")}`), REPORT_MS);
  try {
    report(`${load()} (pids ${loops.pids.join(", ")}); running: ${command.join(" ")}`);
    const code = await run(command);
    const ended = loops.ended();
    report(`${load()}; ended with ${code}: ${command.join(" ")}`);
    if (ended.length === 0) return code;
    report(`this run does not count: the busy loops ${ended.join(", ")} ended before it; run it again`);
    return code === 0 ? 1 : code;
  } finally {
    clearInterval(reports);
    await loops.stop();
  }
};

const wanted = (): Wanted | "help" => {
  try {
    return parseBusy(process.argv.slice(2));
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(". ");
    console.error(`${sentence}; see npm run test:busy -- --help`);
    process.exit(2);
  }
};

const asked = wanted();
if (asked === "help") {
  console.log(HELP);
} else {
  try {
    process.exitCode = await beside(asked);
  } catch (error) {
    console.error(`test:busy: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
