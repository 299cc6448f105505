import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { RequestError } from "../protocols/open-inference/errors.ts";

/** A number of bytes that all requests share, so that many large bodies together cannot take the memory of the process. */
export type ByteBudget = { left: number };

const decoders = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/**
 * Reads and decompresses a body of at most `maxBytes`, both before and after decompression. The bytes are taken from
 * `budget`; `release` gives them back.
 */
export const readBody = (request: IncomingMessage, maxBytes: number, budget: ByteBudget) => {
  let taken = 0;
  const take = (bytes: number): void => {
    if (bytes > budget.left)
      throw new RequestError(503, "too many large requests at once; try again", { "retry-after": "1" });
    budget.left -= bytes;
    taken += bytes;
  };
  const tooLarge = () =>
    new RequestError(413, `the body is larger than ${maxBytes} bytes (--max-body)`, { connection: "close" });

  const read = async (): Promise<Uint8Array> => {
    const declared = Number(request.headers["content-length"] ?? 0);
    if (declared > maxBytes) throw tooLarge();
    const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity";
    if (encoding !== "identity" && encoding !== "gzip" && encoding !== "deflate") {
      throw new RequestError(415, `content-encoding "${encoding}" is unknown; gzip and deflate are understood`);
    }
    // One buffer that grows: a body in millions of one-byte chunks costs no more than its bytes.
    let buffer = Buffer.alloc(0);
    let length = 0;
    for await (const chunk of received(request)) {
      if (length + chunk.length > maxBytes) throw tooLarge();
      if (length + chunk.length > buffer.length) {
        const wanted = Math.max(
          length + chunk.length,
          Math.min(declared, 1024 ** 2),
          Math.min(buffer.length * 2, maxBytes),
        );
        take(wanted - buffer.length);
        const larger = Buffer.allocUnsafeSlow(wanted);
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      buffer.set(chunk, length);
      length += chunk.length;
    }
    const body = buffer.subarray(0, length);
    if (encoding === "identity") return body;
    try {
      const plain = await decoders[encoding](body, { maxOutputLength: maxBytes });
      take(plain.length);
      return plain;
    } catch (error) {
      if (error instanceof RequestError) throw error;
      if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") throw tooLarge();
      throw new RequestError(400, `the body is not ${encoding}`);
    }
  };
  /** The body's bytes as they come. The request is not destroyed when reading stops, so that it can be answered. */
  async function* received(from: IncomingMessage): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false })) if (chunk instanceof Uint8Array) yield chunk;
    } catch {
      throw new RequestError(400, "the body ended too early");
    }
  }
  const release = (): void => {
    budget.left += taken;
    taken = 0;
  };
  return { read, release };
};
