import { flushCompileCache } from "node:module";
import { type Config, ConfigError, parseConfig, USAGE } from "./config.ts";
import { run, STARTED_MS } from "./run.ts";

const fail = (message: string, exitCode: number): never => {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
};

const configOf = (args: string[]): Config => {
  try {
    const config = parseConfig(args);
    if (config !== "help") return config;
  } catch (error) {
    return fail(error instanceof ConfigError ? `berth: ${error.message} (--help lists the options)` : String(error), 2);
  }
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
};

// Node keeps compiled code when it ends by itself; without this, a start after a kill would take half a second longer
setTimeout(flushCompileCache, STARTED_MS).unref();
const config = configOf(process.argv.slice(2));
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
// Not merely the code: after a lost lease, nothing that is still under way may go on.
run(config, stop.signal).then(process.exit, (error: unknown) => fail(`berth: ${error}`, 1));
