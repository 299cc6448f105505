/** Of nearly empty frames, too, there is an end. */
const MOST_FRAMES = 32;

/** Gathers the header block that HEADERS begins and CONTINUATION goes on with; their frames follow each other. */
export type HeaderBlock = {
  /** The whole block, where `last`; else undefined. "too large": the connection should end. */
  take(bytes: Buffer, last: boolean): Buffer | "too large" | undefined;
};

/** @param listBytes what the headers may count; with Huffman's code they take less than that, without it about as much */
export const createHeaderBlock = (listBytes: number): HeaderBlock => {
  const mostBytes = 2 * listBytes;
  let parts: Buffer[] = [];
  let length = 0;
  return {
    take: (bytes, last) => {
      length += bytes.length;
      if (length > mostBytes || parts.length === MOST_FRAMES) return "too large";
      if (last && parts.length === 0) {
        length = 0;
        return bytes;
      }
      // what comes next may be read to the same place
      parts.push(Buffer.from(bytes));
      if (!last) return undefined;
      const whole = Buffer.concat(parts, length);
      parts = [];
      length = 0;
      return whole;
    },
  };
};
