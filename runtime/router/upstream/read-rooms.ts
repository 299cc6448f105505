/** Where the bytes of a connection are read to: to the same few places again and again, so that large answers leave no garbage. */
import type { Flushed } from "../message.ts";

export type Rooms = {
  /** What was read last is there. */
  now(): Buffer;
  /** For what is read next. */
  next(): Buffer;
  /** What has become of what was read last. */
  flushed(flushed: Flushed): void;
  /** The next answer is for somebody else, who knows nothing of what still waits. */
  idle(): void;
};

/** What is read at once, in bytes: as Node does by itself. */
const READ_BYTES = 64 * 1024;
/** Two of them: so much the allocator takes from the kernel, and gives back to it, by itself (malloc.ts). */
const SLAB_BYTES = 2 * READ_BYTES;

export const createRooms = (): Rooms => {
  let free: Buffer[] = [];
  /** Those in which something waits that goes out in order: once all is taken they are free. */
  let waiting: Buffer[] = [];
  const take = (): Buffer => {
    const known = free.pop();
    if (known !== undefined) return known;
    const slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    free.push(slab.subarray(READ_BYTES));
    return slab.subarray(0, READ_BYTES);
  };
  let room = take();
  let isFree = true;
  return {
    now: () => room,
    next() {
      if (!isFree) room = take();
      isFree = true;
      return room;
    },
    flushed(flushed) {
      isFree = flushed === "taken";
      if (isFree) {
        free.push(...waiting);
        waiting = [];
      } else if (flushed !== "kept") waiting.push(room);
    },
    idle() {
      waiting = [];
      free = free.filter(({ buffer }) => buffer === room.buffer);
    },
  };
};
