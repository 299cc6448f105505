import { z } from "zod";
import { ask } from "./ask.ts";

const counts = z.object({ requests: z.number(), errors: z.number(), buckets: z.array(z.number()) });

const pairs = z.object({ compared: z.number(), disagreed: z.number() });
const none = { compared: 0, disagreed: 0 };
const shadow = z.object({
  canary: pairs,
  self: pairs.default(none),
  failed: z.number().default(0),
  incomparable: z.number().default(0),
  reason: z.string().optional(),
});

const answer = z.object({
  /** RFC 3339. */
  started: z.string(),
  models: z.record(
    z.string(),
    z.object({
      epoch: z.number(),
      port: z.number().optional(),
      /** By revision, and then by pod. */
      revisions: z.record(z.string(), z.object({ evidence: z.record(z.string(), counts) })).default({}),
      shadow: shadow.default({ canary: none, self: none, failed: 0, incomparable: 0 }),
    }),
  ),
});

export type RouterStatus = z.output<typeof answer>;

/** A ModelDeployment with two revisions of a hundred pods has some 60 kB. */
const MOST_BYTES = 16 * 1024 ** 2;

/** What a router follows and has counted, over HTTP. Undefined if it does not say. */
export const askRouterStatus = (address: string): Promise<RouterStatus | undefined> =>
  ask(address, "/statusz", answer, MOST_BYTES);
