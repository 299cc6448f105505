/** The operator's requests, as the API server's audit log grows. */
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAudit, type Request } from "./audit.ts";

const QUIET_MS = 2_000;
const POLL_MS = 50;

/** All of the account's requests so far that are work on objects; what is asked again costs only what came since. */
export const followRequests = (path: string) => {
  let offset = 0;
  let rest = "";
  const all: Request[] = [];
  const read = (): readonly Request[] => {
    const size = existsSync(path) ? statSync(path).size : 0;
    if (size <= offset) return all;
    const buffer = Buffer.alloc(size - offset);
    const file = openSync(path, "r");
    const bytes = readSync(file, buffer, 0, buffer.length, offset);
    closeSync(file);
    offset += bytes;
    const text = rest + buffer.subarray(0, bytes).toString();
    const end = text.lastIndexOf("\n") + 1;
    all.push(...parseAudit(text.slice(0, end)));
    rest = text.slice(end);
    return all;
  };
  return {
    read,
    /** Resolves once nothing was asked for two seconds, with the time of the last request (milliseconds since 1970). */
    async quiet(timeoutMs: number): Promise<number> {
      for (const end = Date.now() + timeoutMs; ; await sleep(POLL_MS)) {
        const last = read().at(-1)?.at ?? 0;
        if (Date.now() - last > QUIET_MS) return last;
        if (Date.now() > end) throw new Error(`the operator was not quiet within ${timeoutMs / 1000} s`);
      }
    },
  };
};

export type Requests = ReturnType<typeof followRequests>;
