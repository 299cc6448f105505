/** What each client sends first (RFC 9113, 3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export type Preface = {
  /** What follows it in `chunk`; undefined where this is no HTTP/2. */
  take(chunk: Buffer): Buffer | undefined;
  /** It has come. */
  whole(): boolean;
};

export const createPreface = (): Preface => {
  let have = 0;
  return {
    take: (chunk) => {
      const length = Math.min(PREFACE.length - have, chunk.length);
      if (PREFACE.compare(chunk, 0, length, have, have + length) !== 0) return undefined;
      have += length;
      return chunk.subarray(length);
    },
    whole: () => have === PREFACE.length,
  };
};
