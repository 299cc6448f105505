import { request } from "undici";
import type { z } from "zod";
import { ADMIN_PORT } from "../api/v1alpha1/index.ts";

/** Somebody waits for it, and it can be asked again: a worker does not wait long. */
const TIMEOUT_MS = 1_000;

/**
 * What one of our own pods answers on its admin port, as JSON. Undefined if it does not answer, or not so, as one of another
 * version may not.
 *
 * @param mostBytes of the answer
 */
export const ask = async <T>(
  address: string,
  path: string,
  schema: z.ZodType<T>,
  mostBytes: number,
): Promise<T | undefined> => {
  const host = address.includes(":") ? `[${address}]` : address;
  try {
    const { body, headers, statusCode } = await request(`http://${host}:${ADMIN_PORT}${path}`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      reset: true,
    });
    if (statusCode === 200 && Number(headers["content-length"] ?? mostBytes) <= mostBytes)
      return schema.parse(await body.json());
    body.destroy();
    return undefined;
  } catch {
    return undefined;
  }
};
