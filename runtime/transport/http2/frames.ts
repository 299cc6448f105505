/** RFC 9113, 4.1: 24 bits of length, type, flags, 31 bits of stream. */
export const HEAD_BYTES = 9;

export type FrameHead = { length: number; type: number; flags: number; stream: number };

export type FrameSink = {
  /** A frame begins. False where it is too long or out of place: nothing more is read. */
  head(head: FrameHead): boolean;
  /** The next bytes of its payload, which are a view of what came; `last` where it ends with them. Empty for none. */
  payload(bytes: Buffer, last: boolean): boolean;
};

/**
 * Cuts what comes from a socket into frames, wherever it was split, without copies: only a head that was split is joined.
 * The `head` that it gives is used again for the next frame.
 * @returns takes the next bytes, and says whether the sink wants more
 */
export const createFrameReader = (sink: FrameSink): ((chunk: Buffer) => boolean) => {
  const partial = Buffer.alloc(HEAD_BYTES);
  const head: FrameHead = { length: 0, type: 0, flags: 0, stream: 0 };
  let have = 0;
  let left = -1;
  let open = true;

  const begin = (bytes: Buffer, at: number): boolean => {
    head.length = bytes.readUIntBE(at, 3);
    head.type = bytes[at + 3] ?? 0;
    head.flags = bytes[at + 4] ?? 0;
    head.stream = bytes.readUInt32BE(at + 5) % 2 ** 31;
    left = head.length;
    return sink.head(head);
  };

  return (chunk) => {
    let at = 0;
    while (open && (at < chunk.length || left === 0)) {
      if (left >= 0) {
        const end = Math.min(chunk.length, at + left);
        left -= end - at;
        const last = left === 0;
        if (last) left = -1;
        open = sink.payload(chunk.subarray(at, end), last);
        at = end;
      } else if (have === 0 && chunk.length - at >= HEAD_BYTES) {
        open = begin(chunk, at);
        at += HEAD_BYTES;
      } else {
        const taken = chunk.copy(partial, have, at, Math.min(chunk.length, at + HEAD_BYTES - have));
        have += taken;
        at += taken;
        if (have < HEAD_BYTES) continue;
        have = 0;
        open = begin(partial, 0);
      }
    }
    return open;
  };
};

/** Writes the head of a frame at `at`. */
export const writeHead = (
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void => {
  into.writeUIntBE(length, at, 3);
  into[at + 3] = type;
  into[at + 4] = flags;
  into.writeUInt32BE(stream, at + 5);
};

/** A whole frame. */
export const frameOf = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  writeHead(frame, 0, payload.length, type, flags, stream);
  frame.set(payload, HEAD_BYTES);
  return frame;
};
