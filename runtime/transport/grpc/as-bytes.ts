import type { Codec } from "./types.ts";

/** For handlers that take and give encoded messages. */
export const AS_BYTES: Codec = {
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => {
    if (!Buffer.isBuffer(bytes)) throw new TypeError("the handler gave no bytes");
    return bytes;
  },
};
