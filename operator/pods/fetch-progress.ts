import { request } from "undici";
import { z } from "zod";
import { ADMIN_PORT, type FetchProgress, PROGRESS_PATH } from "../api/v1alpha1/index.ts";

/** It is news, no need: a worker does not wait long for it. */
const TIMEOUT_MS = 1_000;
const MOST_BYTES = 1_024;

const answer = z.object({ bytes: z.number(), total: z.number().optional(), seconds: z.number() });

/** How far the pod's init container has come, over HTTP. Undefined if it does not say, as one of another version may not. */
export const askFetchProgress = async (address: string): Promise<FetchProgress | undefined> => {
  const host = address.includes(":") ? `[${address}]` : address;
  try {
    const { statusCode, headers, body } = await request(`http://${host}:${ADMIN_PORT}${PROGRESS_PATH}`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      reset: true,
    });
    if (statusCode !== 200 || Number(headers["content-length"] ?? MOST_BYTES) > MOST_BYTES) {
      body.destroy();
      return undefined;
    }
    const { bytes, seconds, total } = answer.parse(await body.json());
    return { bytes, seconds, ...(total === undefined ? {} : { total }) };
  } catch {
    return undefined;
  }
};
