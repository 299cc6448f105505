/** With Huffman's code a header list takes less than it counts; without it, about as much. */
const MOST_BYTES = 2 * 16_384;
/** Of nearly empty frames, too, there is an end. */
const MOST_FRAMES = 32;

/** Gathers the header block that HEADERS begins and CONTINUATION goes on with; their frames follow each other. */
export type HeaderBlock = {
  /** The whole block, where `last`; else undefined. "too large": the connection should end. */
  take(bytes: Buffer, last: boolean): Buffer | "too large" | undefined;
};

export const createHeaderBlock = (): HeaderBlock => {
  let parts: Buffer[] = [];
  let length = 0;
  return {
    take: (bytes, last) => {
      length += bytes.length;
      if (length > MOST_BYTES || parts.length === MOST_FRAMES) return "too large";
      if (last && parts.length === 0) {
        length = 0;
        return bytes;
      }
      parts.push(bytes);
      if (!last) return undefined;
      const whole = Buffer.concat(parts, length);
      parts = [];
      length = 0;
      return whole;
    },
  };
};
