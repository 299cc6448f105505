import { readSync, writevSync } from "node:fs";
import { frameLength, MAX_FRAME_BYTES, MalformedFrame, PRELUDE_BYTES } from "./frames.ts";

/** Where the shard finds its end of the link, and the pipe that ends with the server's process. */
export const LINK_FD = 3;
export const LIFELINE_FD = 4;

/**
 * Cuts what arrives into frames. Each frame is whole, at a multiple of eight, and its memory is used for nothing else: a frame
 * that came in one piece is that piece; else it is put together in memory of its own, which is one copy. What it returns takes
 * the pieces and throws MalformedFrame.
 */
export const frameReader = (
  onFrame: (frame: Uint8Array) => void,
  most = MAX_FRAME_BYTES,
): ((piece: Uint8Array) => void) => {
  let frame: Uint8Array | undefined;
  let filled = 0;
  const prelude = new Uint8Array(PRELUDE_BYTES);
  return (piece) => {
    let at = 0;
    while (at < piece.length) {
      if (frame === undefined) {
        const left = piece.length - at;
        if (filled === 0 && left >= PRELUDE_BYTES && (piece.byteOffset + at) % 8 === 0) {
          const length = frameLength(piece.subarray(at), most);
          if (left >= length) {
            onFrame(piece.subarray(at, at + length));
            at += length;
            continue;
          }
        }
        const take = Math.min(PRELUDE_BYTES - filled, left);
        prelude.set(piece.subarray(at, at + take), filled);
        filled += take;
        at += take;
        if (filled < PRELUDE_BYTES) return;
        // Its own memory, not a part of a pool: aligned, and not kept alive by others.
        frame = Buffer.allocUnsafeSlow(frameLength(prelude, most));
        frame.set(prelude);
      }
      const take = Math.min(frame.length - filled, piece.length - at);
      frame.set(piece.subarray(at, at + take), filled);
      filled += take;
      at += take;
      if (filled === frame.length) {
        const whole = frame;
        frame = undefined;
        filled = 0;
        onFrame(whole);
      }
    }
  };
};

/** A read buffer that a large job has made grow is kept up to this size. */
const KEPT_BYTES = 16 * 1024 ** 2;
const FIRST_BYTES = 64 * 1024;

/**
 * The shard's end: reads and writes that block. That is cheaper than a stream, and there is nothing else to do meanwhile.
 * A frame that was read is overwritten by the next. `read` gives undefined when the server is gone.
 */
export const blockingLink = (fd: number, most = MAX_FRAME_BYTES) => {
  let buffer: Uint8Array = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** At least one byte, or 0 at the end. */
  const readSome = (into: Uint8Array, from: number): number => {
    for (;;) {
      try {
        return readSync(fd, into, from, into.length - from, null);
      } catch (error) {
        if (codeOf(error) === "ECONNRESET") return 0;
        mayRetry(error);
      }
    }
  };
  return {
    /** Throws MalformedFrame. */
    read(): Uint8Array | undefined {
      let filled = 0;
      let length = Number.POSITIVE_INFINITY;
      while (filled < length) {
        const count = readSome(buffer, filled);
        if (count === 0) return undefined;
        filled += count;
        if (length === Number.POSITIVE_INFINITY && filled >= PRELUDE_BYTES) {
          length = frameLength(buffer, most);
          if (length > buffer.length) {
            const larger = Buffer.allocUnsafeSlow(length);
            larger.set(buffer.subarray(0, filled));
            buffer = larger;
          }
        }
      }
      // The server waits for the answer to one frame before it sends the next.
      if (filled > length) throw new MalformedFrame("a frame came before the last one was answered");
      return buffer.subarray(0, length);
    },
    /** Gives back what a large frame has taken; what was read before is not to be used any more. Whether it was large. */
    shrink(): boolean {
      const large = buffer.length > KEPT_BYTES;
      if (large) buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
      return large;
    },
    write(pieces: readonly Uint8Array[]): void {
      let left = [...pieces];
      while (left.length > 0) {
        try {
          left = without(left, writevSync(fd, left));
        } catch (error) {
          mayRetry(error);
        }
      }
    },
  };
};

const without = (pieces: readonly Uint8Array[], written: number): Uint8Array[] => {
  let skip = written;
  return pieces.flatMap((piece) => {
    const rest = piece.subarray(Math.min(skip, piece.length));
    skip -= piece.length - rest.length;
    return rest.length > 0 ? [rest] : [];
  });
};

/** Signals interrupt a blocking call; a descriptor that does not block says EAGAIN, which costs a millisecond here. */
const mayRetry = (error: unknown): void => {
  const code = codeOf(error);
  if (code === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  else if (code !== "EINTR") throw error;
};

const codeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
