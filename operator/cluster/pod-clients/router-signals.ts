/** Hears what a router counts, line by line, for as long as the connection lasts. */
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { z } from "zod";
import { ADMIN_PORT, SIGNALS_PATH } from "../../api/v1alpha1/index.ts";
import { ended, urlOf } from "./ask.ts";
import { createJsonMeter, limitsOf } from "./json-meter.ts";
import { createLineReader } from "./line-reader.ts";

/** Sums of these stay finite. */
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const name = z.string().max(253);
const line = z.object({
  started: z.string().max(64),
  models: z.record(name, z.record(name, z.object({ arrived: count, crowd: count, waiting: count, inFlight: count }))),
});

export type SignalsLine = z.output<typeof line>;

/** A router tells something every five seconds. */
const SILENCE_MS = 15_000;
const CONNECT_MS = 2_000;
/** A line about a thousand ModelDeployments has some 150 kB. */
const MOST_LINE = 1024 ** 2;
/** A thousand ModelDeployments that all have requests; whoever sends more waits, and others do not. */
const BYTES_A_SECOND = 512 * 1024;

/** Resolves when there is nothing more to hear, with why; never rejects. */
export const hearRouter = async (
  address: string,
  onLine: (line: SignalsLine) => void,
  signal: AbortSignal,
  port: number = ADMIN_PORT,
): Promise<string> => {
  try {
    const { body, statusCode } = await request(urlOf(address, port, SIGNALS_PATH), {
      ...{ signal, reset: true, headersTimeout: CONNECT_MS, bodyTimeout: SILENCE_MS },
    });
    body.on("error", ended);
    if (statusCode !== 200) {
      body.destroy();
      return `HTTP ${statusCode}`;
    }
    const lines = createLineReader(MOST_LINE);
    for await (const piece of body) {
      if (!(piece instanceof Buffer)) return "no bytes";
      const whole = lines(piece);
      if (whole === undefined) return `a line of more than ${MOST_LINE} bytes`;
      for (const one of whole) {
        if (!createJsonMeter(limitsOf(MOST_LINE))(one)) return "a line with too many parts";
        onLine(line.parse(JSON.parse(one.toString())));
      }
      const read = whole.reduce((sum, { length }) => sum + length, 0);
      if (read > 0) await sleep((1000 * read) / BYTES_A_SECOND, undefined, { signal });
    }
    return "the connection ended";
  } catch (error) {
    return reasonOf(error);
  }
};

/** It ends up in a condition's message, beside what to do: one short line, whatever the pod has sent. */
const reasonOf = (error: unknown): string => {
  if (error instanceof z.ZodError || error instanceof SyntaxError) {
    const [issue] = error instanceof z.ZodError ? error.issues : [];
    const where =
      issue === undefined ? "no JSON" : `${issue.path.join(".").slice(0, 80)}: ${issue.message.slice(0, 80)}`;
    return `its answer has an unknown format (${where}); it may run another version of Berth`;
  }
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").slice(0, 200);
};
