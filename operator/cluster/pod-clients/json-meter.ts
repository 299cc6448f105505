/** Counts what JSON is made of while it comes: what is small on the wire must not become large in memory. Pure. */

export type JsonLimits = {
  bytes: number;
  /** Objects, lists and texts: each takes some fifty bytes, however short it is. */
  parts: number;
  depth: number;
};

/** A part is longer than this on average in all that Berth's own pods answer. */
const BYTES_OF_A_PART = 10;
const MOST_DEPTH = 32;

export const limitsOf = (bytes: number): JsonLimits => ({
  bytes,
  parts: Math.ceil(bytes / BYTES_OF_A_PART),
  depth: MOST_DEPTH,
});

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Takes the next bytes; false once there were too many of anything. */
export const createJsonMeter = ({ bytes, depth, parts }: JsonLimits): ((chunk: Uint8Array) => boolean) => {
  let [taken, level, found, isText, isEscaped] = [0, 0, 0, false, false];
  return (chunk) => {
    taken += chunk.length;
    if (taken > bytes) return false;
    for (const byte of chunk) {
      if (isEscaped) isEscaped = false;
      else if (isText) {
        if (byte === QUOTE) isText = false;
        else if (byte === BACKSLASH) isEscaped = true;
      } else if (byte === QUOTE) {
        isText = true;
        found++;
      } else if (OPEN.has(byte)) {
        level++;
        found++;
      } else if (CLOSE.has(byte)) level--;
      if (level > depth || found > parts) return false;
    }
    return true;
  };
};
