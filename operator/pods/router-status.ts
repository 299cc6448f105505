import { request } from "undici";
import { z } from "zod";
import { ADMIN_PORT } from "../api/v1alpha1/index.ts";

/** A switch waits for it, and is tried again: a worker does not wait long. */
const TIMEOUT_MS = 1_000;

const counts = z.object({ requests: z.number(), errors: z.number(), buckets: z.array(z.number()) });

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
      shadow: z
        .object({ canary: z.object({ compared: z.number(), disagreed: z.number() }) })
        .default({ canary: { compared: 0, disagreed: 0 } }),
    }),
  ),
});

export type RouterStatus = z.output<typeof answer>;

/** What a router follows and has counted, over HTTP. Undefined if it does not say. */
export const askRouterStatus = async (address: string): Promise<RouterStatus | undefined> => {
  const host = address.includes(":") ? `[${address}]` : address;
  try {
    const { body, statusCode } = await request(`http://${host}:${ADMIN_PORT}/statusz`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      reset: true,
    });
    if (statusCode === 200) return answer.parse(await body.json());
    body.destroy();
    return undefined;
  } catch {
    return undefined;
  }
};
