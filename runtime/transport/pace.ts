import type { Socket } from "node:net";
import { stopReading } from "./stop-reading.ts";

/** What can be paused and resumed. `stop`: at once, without one piece more; until `resume`. */
export type Source = { pause(): unknown; stop(): unknown; resume(): unknown };

/** How one connection is read. Nothing is, until `resume` was called. */
export type Gate = {
  /** The connection wants no more for now. */
  pause(): void;
  /** It wants more: in this turn of the event loop, or in one in which there is time for it. */
  resume(): void;
  /** It waits for a turn in which there is time for it: what it says, or has said, is not known. */
  waits(): boolean;
  /** A piece has come. */
  read(bytes: number): void;
  /** Nothing comes any more. */
  close(): void;
};

export type Pace = (socket: Socket) => Gate;

/** From here on it is looked at how much is read in one turn of the event loop. */
const SOME_BYTES = 512 * 1024;
/** Above this, those that bring more wait for the next turn; where they are more than a few, all do. */
const MOST_BYTES = 2 * 1024 ** 2;
/** To stop all costs more than that each of these brings one piece of 64 KiB more. */
const FEW = 64;
/** So many connections may begin, or go on, in one turn: each may bring two pieces of 64 KiB. */
const MOST_BEGUN = 16;
const SOME_BEGUN = 4;

export type PaceOptions = {
  /**
   * `collect` is called for each `mostBytes` of pieces. Each is garbage once it was read, and V8 may wait with it for longer than a
   * small memory limit lets it. Default: that is V8's own affair.
   */
  remains?: { mostBytes: number; collect(): void } | undefined;
  /** Is called before a piece is dealt with. */
  awake?: () => void;
  later?: (run: () => void) => void;
};

/**
 * In one turn the event loop would read up to 2 MB from each of a thousand connections. With this it reads as much as is done in
 * some milliseconds, and those that come together begin one after the other, so that timers, probes and others have their turn.
 */
export const createPace = (options: PaceOptions = {}): Pace => {
  const open = createGates(options);
  return (socket) => {
    let goOn: (() => void) | undefined;
    return open({
      pause: () => socket.pause(),
      stop: () => {
        goOn = stopReading(socket);
      },
      resume: () => {
        if (goOn === undefined) socket.resume();
        else goOn();
        goOn = undefined;
      },
    });
  };
};

export const createGates = ({ remains, awake, later = setImmediate }: PaceOptions = {}): ((source: Source) => Gate) => {
  let read = 0;
  let begun = 0;
  let left = 0;
  let scheduled = false;
  /** Those that may bring something in this turn. */
  const flowing = new Set<Source>();
  /** Those that want more and wait for a turn, longest first. */
  const waiting = new Set<Source>();

  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    later(next);
  };
  const next = (): void => {
    scheduled = false;
    read = 0;
    begun = 0;
    for (const source of waiting) {
      if (begun >= MOST_BEGUN) break;
      waiting.delete(source);
      begin(source);
    }
    if (begun > 0) schedule();
  };
  const begin = (source: Source): void => {
    begun++;
    flowing.add(source);
    source.resume();
  };
  const stop = (source: Source): void => {
    source.stop();
    waiting.add(source);
  };
  /** What the kernel has told of may be much more than is read so far. */
  const stopAll = (): void => {
    for (const source of flowing) stop(source);
    flowing.clear();
  };

  return (source) => {
    let wants = false;
    return {
      pause() {
        wants = false;
        if (flowing.delete(source)) source.pause();
        else waiting.delete(source);
      },
      resume() {
        if (wants) return;
        wants = true;
        if (begun >= SOME_BEGUN) schedule();
        if (begun >= MOST_BEGUN || read >= MOST_BYTES || waiting.size > 0) waiting.add(source);
        else begin(source);
      },
      waits: () => waiting.has(source),
      read(bytes) {
        awake?.();
        left += bytes;
        if (remains !== undefined && left >= remains.mostBytes) {
          left = 0;
          remains.collect();
        }
        read += bytes;
        if (read < SOME_BYTES) return;
        schedule();
        if (read < MOST_BYTES) return;
        if (flowing.size > FEW) stopAll();
        else if (flowing.delete(source)) stop(source);
      },
      close() {
        flowing.delete(source);
        waiting.delete(source);
      },
    };
  };
};
