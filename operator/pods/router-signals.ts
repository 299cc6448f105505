/** Hears what a router counts, line by line, for as long as the connection lasts. */
import { request } from "undici";
import { z } from "zod";
import { ADMIN_PORT, SIGNALS_PATH } from "../api/v1alpha1/index.ts";

const count = z.number().min(0);
const line = z.object({
  started: z.string(),
  models: z.record(
    z.string(),
    z.record(z.string(), z.object({ arrived: count, crowd: count, waiting: count, inFlight: count })),
  ),
});

export type SignalsLine = z.output<typeof line>;

/** A router tells something every five seconds. */
const SILENCE_MS = 15_000;
const CONNECT_MS = 2_000;
/** A line about a thousand ModelDeployments has some 150 kB. */
const MOST_LINE = 4 * 1024 ** 2;

/** Resolves when there is nothing more to hear, with why; never rejects. */
export const hearRouter = async (
  address: string,
  onLine: (line: SignalsLine) => void,
  signal: AbortSignal,
): Promise<string> => {
  const host = address.includes(":") ? `[${address}]` : address;
  try {
    const { body, statusCode } = await request(`http://${host}:${ADMIN_PORT}${SIGNALS_PATH}`, {
      ...{ signal, reset: true, headersTimeout: CONNECT_MS, bodyTimeout: SILENCE_MS },
    });
    if (statusCode !== 200) {
      body.destroy();
      return `HTTP ${statusCode}`;
    }
    let rest = "";
    for await (const piece of body.setEncoding("utf8")) {
      const lines = (rest + String(piece)).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MOST_LINE) return "a line that does not end";
      for (const text of lines) onLine(line.parse(JSON.parse(text)));
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
    return `its answer is not one that this operator reads (${where}); it may run another version of Berth`;
  }
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").slice(0, 200);
};
