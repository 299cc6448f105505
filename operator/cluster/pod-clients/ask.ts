import { request } from "undici";
import type { z } from "zod";
import { ADMIN_PORT } from "../../api/v1alpha1/index.ts";
import { createJsonMeter, limitsOf } from "./json-meter.ts";

/** Somebody waits for it, and it can be asked again: a worker does not wait long. */
const TIMEOUT_MS = 1_000;

export const urlOf = (address: string, port: number, path: string): string =>
  `http://${address.includes(":") ? `[${address}]` : address}:${port}${path}`;

/** A body that is left before its end emits an error, which would end the process if nobody listened. */
export const ended = (): void => undefined;

/**
 * What one of our own pods answers on its admin port, as JSON. Undefined if it does not answer within a second, or not so, as one of
 * another version may not. A tenant may have put something else in its place: what is too large is not read to its end.
 *
 * @param mostBytes of the answer
 */
export const ask = async <T>(
  address: string,
  path: string,
  schema: z.ZodType<T>,
  mostBytes: number,
  port: number = ADMIN_PORT,
): Promise<T | undefined> => {
  try {
    const { body, statusCode } = await request(urlOf(address, port, path), {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      reset: true,
    });
    body.on("error", ended);
    const chunks: Buffer[] = [];
    const isWithin = createJsonMeter(limitsOf(mostBytes));
    for await (const chunk of statusCode === 200 ? body : []) {
      // leaving the loop ends the connection
      if (!(chunk instanceof Buffer) || !isWithin(chunk)) return undefined;
      chunks.push(chunk);
    }
    if (statusCode !== 200) {
      body.destroy();
      return undefined;
    }
    return schema.parse(JSON.parse(Buffer.concat(chunks).toString()));
  } catch {
    return undefined;
  }
};
