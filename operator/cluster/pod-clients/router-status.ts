import { z } from "zod";
import { ask } from "./ask.ts";

/** Names of objects. */
const name = z.string().max(253);
/** Sums of these stay finite. */
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const counts = z.object({ requests: count, errors: count, buckets: z.array(count).max(256) });

const pairs = z.object({ compared: count, disagreed: count });
const losses = z.object({ compared: count, lost: count });
const none = { compared: 0, disagreed: 0 };
const shadow = z.object({
  canary: pairs,
  self: pairs.default(none),
  losses: z.object({ canary: losses, self: losses }).optional(),
  failed: count.default(0),
  incomparable: count.default(0),
  reason: z
    .string()
    .transform((text) => text.slice(0, 400))
    .optional(),
});

const answer = z.object({
  /** RFC 3339. */
  started: z.string().max(64),
  /** Since then. A router of an earlier version does not say. */
  ageMs: z.number().min(0).optional(),
  models: z.record(
    name,
    z.object({
      epoch: z.number(),
      port: z.number().optional(),
      /** By revision, and then by pod. */
      revisions: z.record(name, z.object({ evidence: z.record(name, counts) })).default({}),
      shadow: shadow.default({ canary: none, self: none, failed: 0, incomparable: 0 }),
    }),
  ),
});

export type RouterStatus = z.output<typeof answer>;

/** A ModelDeployment with two revisions of a hundred pods has some 60 kB. */
const MOST_BYTES = 4 * 1024 ** 2;

/** What a router follows and has counted, over HTTP. Undefined if it does not say. */
export const askRouterStatus = (address: string): Promise<RouterStatus | undefined> =>
  ask(address, "/statusz", answer, MOST_BYTES);
