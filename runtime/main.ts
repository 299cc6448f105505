import { resolve } from "node:path";
import { UsageError } from "./command-line/values.ts";
import { cacheCompiledCode } from "./compile-cache.ts";
import { tuneForBodies } from "./memory/external-memory.ts";
import { beginWithTightMalloc } from "./memory/malloc.ts";
import { FETCH_HELP, parseFetchOptions } from "./models/fetch/options.ts";
import { parseRouteOptions, ROUTE_HELP } from "./router/options.ts";
import { parseServeOptions, SERVE_HELP } from "./server/options.ts";
import { createLogger } from "./telemetry/logger.ts";

const HELP = `berth-runtime: what runs inside an inference pod, and alone.

  node runtime/main.ts serve --model FILE.onnx   serve a model (serve --help)
  node runtime/main.ts fetch --uri URI --to FILE download and check a model (fetch --help)
  node runtime/main.ts route                      route requests to models of a namespace (route --help)`;

const print = (text: string): number => {
  process.stdout.write(`${text}\n`);
  return 0;
};

const run = async ([command, ...args]: string[]): Promise<number> => {
  switch (command) {
    case "serve": {
      const options = parseServeOptions(args, process.stdout.isTTY === true);
      if (options === "help") return print(SERVE_HELP);
      beginWithTightMalloc();
      cacheCompiledCode();
      // npm runs scripts in the package's folder, and tells where it was called.
      const model = resolve(process.env.INIT_CWD ?? process.cwd(), options.model);
      // Each command loads only what it needs.
      const { supervise } = await import("./server/supervisor.ts");
      return supervise({ ...options, model }, createLogger(options.logFormat, "server"));
    }
    case "fetch": {
      const options = parseFetchOptions(args);
      if (options === "help") return print(FETCH_HELP);
      const { fetchCommand } = await import("./models/fetch/command.ts");
      return fetchCommand(options, createLogger(process.stdout.isTTY === true ? "text" : "json", "fetch"));
    }
    case "route": {
      const options = parseRouteOptions(args, process.stdout.isTTY === true, process.env);
      if (options === "help") return print(ROUTE_HELP);
      beginWithTightMalloc();
      cacheCompiledCode();
      tuneForBodies();
      const { routeCommand } = await import("./router/command.ts");
      return routeCommand(options, createLogger(options.logFormat, "router"));
    }
    case "help":
    case "--help":
      return print(HELP);
    default:
      throw new UsageError(
        `${command === undefined ? "a command is missing" : `"${command}" is not a command`}; see --help`,
      );
  }
};

try {
  process.exitCode = await run(process.argv.slice(2));
  // Timers and connections that nobody waits for must not hold the process.
  process.exit();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`berth-runtime: ${error.message}\n`);
  process.exit(2);
}
