/** Asks a server what its runs take. */
import { z } from "zod";
import { ask } from "./ask.ts";

const answer = z.object({
  shards: z.object({ ready: z.number().min(1) }),
  batching: z.object({ state: z.string(), size: z.number().min(1) }),
  /** Milliseconds. */
  serviceTimeMs: z.object({ each: z.number().min(0), perItem: z.number().min(0) }).nullable(),
});

const MOST_BYTES = 1024 ** 2;

/** In seconds; undefined before it has run anything, and where it does not answer. */
export const askServerCurve = async (
  address: string,
): Promise<{ each: number; perItem: number; maxBatch: number; parallel: number } | undefined> => {
  const told = await ask(address, "/statusz", answer, MOST_BYTES);
  if (told === undefined || told.serviceTimeMs === null) return undefined;
  const { batching, serviceTimeMs, shards } = told;
  return {
    each: serviceTimeMs.each / 1000,
    perItem: serviceTimeMs.perItem / 1000,
    maxBatch: batching.state === "on" ? batching.size : 1,
    parallel: shards.ready,
  };
};
