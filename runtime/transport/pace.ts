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
  /** It waits for a turn in which there is time for it, or has just got it: what it says, or has said, is not known. */
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

type State = PaceOptions & {
  readonly later: (run: () => void) => void;
  /** In this turn: bytes that were read, and connections that began or went on. */
  read: number;
  begun: number;
  /** Bytes of pieces that may be garbage and were not collected yet. */
  left: number;
  isScheduled: boolean;
  readonly onTurn: () => void;
  /** Those that may bring something in this turn. */
  readonly flowing: Set<Source>;
  /** Those that want more and wait for a turn, longest first. */
  readonly waiting: Set<Source>;
  /** Those that have waited, and are read from in this turn: who looks before that must not take them for silent. */
  readonly fresh: Set<Source>;
};

export const createGates = ({ remains, awake, later = setImmediate }: PaceOptions = {}): ((source: Source) => Gate) => {
  const state: State = {
    remains,
    later,
    ...(awake === undefined ? {} : { awake }),
    ...{ read: 0, begun: 0, left: 0, isScheduled: false },
    onTurn: () => nextTurn(state),
    flowing: new Set(),
    waiting: new Set(),
    fresh: new Set(),
  };
  return (source) => gateOf(state, source);
};

const gateOf = (state: State, source: Source): Gate => {
  const { flowing, fresh, waiting } = state;
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
      if (state.begun >= SOME_BEGUN) schedule(state);
      if (state.begun >= MOST_BEGUN || state.read >= MOST_BYTES || waiting.size > 0) waiting.add(source);
      else begin(state, source);
    },
    waits: () => waiting.has(source) || fresh.has(source),
    read: (bytes) => countRead(state, source, bytes),
    close() {
      flowing.delete(source);
      waiting.delete(source);
      fresh.delete(source);
    },
  };
};

const countRead = (state: State, source: Source, bytes: number): void => {
  const { awake, flowing, remains } = state;
  awake?.();
  state.left += bytes;
  if (remains !== undefined && state.left >= remains.mostBytes) {
    state.left = 0;
    remains.collect();
  }
  state.read += bytes;
  if (state.read < SOME_BYTES) return;
  schedule(state);
  if (state.read < MOST_BYTES) return;
  if (flowing.size > FEW) stopAll(state);
  else if (flowing.delete(source)) stop(state, source);
};

const schedule = (state: State): void => {
  if (state.isScheduled) return;
  state.isScheduled = true;
  state.later(state.onTurn);
};

const nextTurn = (state: State): void => {
  state.isScheduled = false;
  state.read = 0;
  state.begun = 0;
  state.fresh.clear();
  for (const source of state.waiting) {
    if (state.begun >= MOST_BEGUN) break;
    state.waiting.delete(source);
    state.fresh.add(source);
    begin(state, source);
  }
  if (state.begun > 0) schedule(state);
};

const begin = (state: State, source: Source): void => {
  state.begun++;
  state.flowing.add(source);
  source.resume();
};

const stop = ({ waiting }: State, source: Source): void => {
  source.stop();
  waiting.add(source);
};

/** What the kernel has told of may be much more than is read so far. */
const stopAll = (state: State): void => {
  for (const source of state.flowing) stop(state, source);
  state.flowing.clear();
};
