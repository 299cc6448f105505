import { type Logger, pino } from "pino";
import { mapBeside, withSources } from "./stack.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on standard output, with RFC 3339 times and the level as a word. Errors go under `err`. */
export const createLogger = (level: LogLevel, program = process.argv[1] ?? ""): Logger => {
  const find = mapBeside(program);
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: {
      err: pino.stdSerializers.wrapErrorSerializer((error) => {
        error.stack = withSources(error.stack, program, find);
        return error;
      }),
    },
  });
};
