import type { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How often it looks, in milliseconds. A fast network brings some 300 MB meanwhile. */
const SWEEP_MS = 250;
/** A collection takes some 10 ms. */
const PAUSE_MS = 1000;
/** What a connection has read counts half after so long. */
const HALF_LIFE_MS = 10_000;
/** A connection that has read less is not what fills the memory. */
const LEAST_BYTES = 1024 ** 2;

export type GuardOptions = {
  /** The most bytes that a connection can hold for calls that are open. */
  readSince(socket: Socket): number;
  /** The most bytes of buffers that the thread may have. */
  mostBytes: number;
  /** The bytes of buffers that the thread has now, with those that nobody needs any more. */
  usedBytes(): number;
  /** Frees the latter. */
  collect(): void;
};

/**
 * grpc-js bounds a message and the calls of a connection, but not what unfinished messages take together: one client could
 * hold gigabytes with calls that it never completes. Where the thread's buffers grow too large, the connection that has
 * sent the most of late for calls that are still open is ended. Returns what ends one connection where it must; it is
 * called every SWEEP_MS.
 */
export const createGuard = (
  sockets: ReadonlySet<Socket>,
  { readSince, mostBytes, usedBytes, collect }: GuardOptions,
): (() => void) => {
  const seen = new WeakMap<Socket, { read: number; recent: number }>();
  const decay = 0.5 ** (SWEEP_MS / HALF_LIFE_MS);
  let pause = 0;
  return () => {
    pause -= SWEEP_MS;
    let worst: Socket | undefined;
    let most = LEAST_BYTES;
    for (const socket of sockets) {
      const before = seen.get(socket);
      const read = socket.bytesRead;
      const recent = (before?.recent ?? 0) * decay + read - (before?.read ?? 0);
      seen.set(socket, { read, recent });
      // A client that only makes many small calls reads much too, and holds little.
      const suspect = Math.min(recent, readSince(socket));
      if (suspect > most) {
        most = suspect;
        worst = socket;
      }
    }
    if (worst === undefined || pause > 0 || usedBytes() <= mostBytes) return;
    pause = PAUSE_MS;
    // what is only garbage, such as that of the connection which was ended before, is nobody's fault
    collect();
    if (usedBytes() > mostBytes) worst.destroy();
  };
};

/** Calls `sweep` for as long as there are sockets. Call it when one was added. */
export const whileOpen = (sockets: ReadonlySet<Socket>, sweep: () => void): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  return () => {
    timer ??= setInterval(() => {
      if (sockets.size > 0) sweep();
      else {
        clearInterval(timer);
        timer = undefined;
      }
    }, SWEEP_MS).unref();
  };
};

/** A full collection of this thread's heap. V8 has no other way to ask for one than the function of this flag. */
export const fullCollection = (): (() => void) => {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  if (typeof gc !== "function") throw new Error("this Node has no gc()");
  return () => {
    gc();
  };
};
