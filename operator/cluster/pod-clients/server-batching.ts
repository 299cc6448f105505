/** Asks a server whether requests share its runs. */
import { z } from "zod";
import { ask } from "./ask.ts";

/** Of its words, those that a condition has room for, in one line. */
const MOST_WORDS = 400;
const answer = z.object({
  batching: z.object({
    state: z.string().max(64),
    reason: z.string().transform((text) => text.replace(/\p{C}+/gu, " ").slice(0, MOST_WORDS)),
  }),
});

const MOST_BYTES = 1024 ** 2;

export type ServerBatching = z.output<typeof answer>["batching"];

/** Over HTTP; undefined where it does not say. */
export const askServerBatching = async (address: string, port?: number): Promise<ServerBatching | undefined> =>
  (await ask(address, "/statusz", answer, MOST_BYTES, port))?.batching;
