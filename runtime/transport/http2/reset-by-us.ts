/** The streams that we have reset of late: what was on its way to them is no fault of the other side. */
import type { FrameHead } from "./frames.ts";
import { END_STREAM } from "./protocol.ts";

/** So many are remembered. */
const MOST_REMEMBERED = 1024;

export type ResetByUs = {
  /** `window`: what the other side may still have on the way, in bytes. */
  add(id: number, window: number): void;
  /** Whether it was remembered. */
  forget(id: number): boolean;
  /** DATA of a stream that is gone: undefined where it was not reset here; else whether it is no more than was on its way. */
  take(frame: FrameHead): boolean | undefined;
};

export const createResetByUs = (): ResetByUs => {
  const windows = new Map<number, number>();
  return {
    add(id, window) {
      for (const oldest of windows.keys()) {
        if (windows.size < MOST_REMEMBERED) break;
        windows.delete(oldest);
      }
      windows.set(id, window);
    },
    forget: (id) => windows.delete(id),
    take({ flags, length, stream: id }) {
      const left = windows.get(id);
      if (left === undefined) return undefined;
      if ((flags & END_STREAM) !== 0) windows.delete(id);
      else windows.set(id, left - length);
      return left >= length && length > 0;
    },
  };
};
