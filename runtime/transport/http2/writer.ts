import type { Socket } from "node:net";

export type FrameWriter = {
  /** The bytes of frames, written at the end of this turn with all others of it. */
  push(bytes: Buffer): void;
  /** So many bytes may be pushed before what can wait should wait; 0 or less where it should now. */
  room(): number;
  /** What is not in the kernel yet, in bytes. */
  unsent(): number;
  /** Writes what there is now, since more of this turn need not be waited for. */
  flush(): void;
  /** Writes what there is, and ignores what is pushed from now on: the socket is about to be ended. */
  close(): void;
};

/** More than this waits only where it must: answers to the other side's frames, and ends of streams. */
const CONGESTED_BYTES = 512 * 1024;
/** Less is copied into one piece: that is faster than to hand many to the kernel. */
const JOINED_BYTES = 64 * 1024;

/** Writes once for all that a turn of the event loop brings, whichever streams it is for. */
export const createFrameWriter = (socket: Socket): FrameWriter => {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let closed = false;
  const flush = (): void => {
    const [first] = pieces;
    if (first === undefined || socket.destroyed) return;
    const all = pieces;
    const length = bytes;
    pieces = [];
    bytes = 0;
    if (all.length === 1) socket.write(first);
    else if (length <= JOINED_BYTES) socket.write(Buffer.concat(all, length));
    else {
      socket.cork();
      for (const piece of all) socket.write(piece);
      socket.uncork();
    }
  };
  return {
    push: (piece) => {
      if (closed) return;
      if (bytes === 0) process.nextTick(flush);
      pieces.push(piece);
      bytes += piece.length;
    },
    room: () => CONGESTED_BYTES - bytes - socket.writableLength,
    unsent: () => bytes + socket.writableLength,
    flush,
    close: () => {
      flush();
      closed = true;
    },
  };
};
