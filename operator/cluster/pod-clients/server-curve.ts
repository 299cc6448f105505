/** Asks a server what its runs take. */
import { z } from "zod";
import { ask } from "./ask.ts";

const several = z.number().min(1).max(1024);
/** An hour is no time for a run. */
const milliseconds = z.number().min(0).max(3_600_000);
const answer = z.object({
  shards: z.object({ ready: several }),
  batching: z.object({ state: z.string(), size: several }),
  serviceTimeMs: z.object({ each: milliseconds, perItem: milliseconds }).nullable(),
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
