/** The windows of what comes: what the other side may send, of each stream and of all, and what of them it is given back. */
import type { Control } from "./control.ts";

/** What may be sent before it must wait for what takes it, in bytes: of a stream, and of all. */
export const STREAM_WINDOW = 1024 ** 2;
export const CONNECTION_WINDOW = 16 * STREAM_WINDOW;

/** Of one stream. */
export type Inflow = {
  /** What may still be sent, and what of it was taken since it was given back last. */
  window: number;
  taken: number;
  /** What `window` is when all of it was given back. */
  widest: number;
  /** Nothing is given back meanwhile. */
  paused: boolean;
};

export type Intake = {
  /** What may be sent on the connection, in bytes. */
  window(): number;
  /** `firstWindow` in bytes; it grows up to STREAM_WINDOW as it is taken. */
  open(firstWindow: number): Inflow;
  /** DATA begins on the connection: it counts, whatever becomes of it. */
  take(bytes: number): void;
  /** DATA of a stream. False: it is more than its window. */
  takeOf(stream: Inflow, bytes: number): boolean;
  /** Gives back what was taken on the connection, in pieces that are worth a frame. */
  giveBack(): void;
  giveBackOf(id: number, stream: Inflow): void;
};

export const createIntake = (control: Control): Intake => {
  let window = CONNECTION_WINDOW;
  let taken = 0;
  return {
    window: () => window,
    open: (firstWindow) => ({ window: firstWindow, taken: 0, widest: firstWindow, paused: false }),
    take(bytes) {
      window -= bytes;
      taken += bytes;
    },
    takeOf(stream, bytes) {
      if (bytes > stream.window) return false;
      stream.window -= bytes;
      stream.taken += bytes;
      return true;
    },
    giveBack() {
      if (taken < CONNECTION_WINDOW / 4) return;
      control.windowUpdate(0, taken);
      window += taken;
      taken = 0;
    },
    giveBackOf(id, stream) {
      if (stream.paused || stream.taken < stream.widest / 4) return;
      const widest = Math.min(STREAM_WINDOW, 4 * stream.widest);
      const bytes = stream.taken + widest - stream.widest;
      control.windowUpdate(id, bytes);
      stream.window += bytes;
      stream.widest = widest;
      stream.taken = 0;
    },
  };
};
