import { type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger };

/** JSON lines for a pod, or plain lines for a person at a terminal: there only what is worth reading (info and above). */
export const createLogger = (format: "json" | "text", component: string): Logger => {
  const options = { base: { component }, timestamp: stdTimeFunctions.isoTime };
  if (format === "json") return pino(options);
  return pino(options, {
    write: (line: string) => {
      const entry: unknown = JSON.parse(line);
      if (typeof entry !== "object" || entry === null || !("msg" in entry)) return;
      const level = "level" in entry && typeof entry.level === "number" ? entry.level : 30;
      const prefix = level >= 50 ? "error: " : level >= 40 ? "warning: " : "";
      process.stdout.write(`${prefix}${String(entry.msg)}\n`);
    },
  });
};
