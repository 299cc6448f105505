import { request } from "undici";
import { z } from "zod";
import { ADMIN_PORT } from "../api/v1alpha1/index.ts";

/** A switch waits for it, and is tried again: a worker does not wait long. */
const TIMEOUT_MS = 1_000;

const answer = z.object({
  models: z.record(z.string(), z.object({ epoch: z.number(), port: z.number().optional() })),
});

export type RouterModels = z.output<typeof answer>["models"];

/** Which tables a router follows, over HTTP. Undefined if it does not say. */
export const askRouterStatus = async (address: string): Promise<RouterModels | undefined> => {
  const host = address.includes(":") ? `[${address}]` : address;
  try {
    const { body, statusCode } = await request(`http://${host}:${ADMIN_PORT}/statusz`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      reset: true,
    });
    if (statusCode === 200) return answer.parse(await body.json()).models;
    body.destroy();
    return undefined;
  } catch {
    return undefined;
  }
};
