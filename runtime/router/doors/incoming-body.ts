/**
 * A request's body on its way in. As long as it may be kept it is collected, and served when it is whole: then it can be sent
 * again. Once it is too large, or there is no memory to keep it, or its door says that it may never end, it is served as a stream.
 */
import { MOST_KEPT_OF_ONE } from "../kept-bytes.ts";
import type { Body, Source } from "../message.ts";
import { createPieces, type Pieces } from "./pieces.ts";
import type { Reservation } from "./reservation.ts";

export type IncomingBody = {
  /** Serves it at once where it is known to be too large to be kept. It may be answered, and released, before this returns. */
  begin(): void;
  /** A piece has come. It may be kept. */
  push(piece: Buffer): void;
  /** The body is whole. */
  end(): void;
  /** It is served as it is, as a stream, unless that has happened. `isConversation` as in Body. */
  stream(isConversation?: boolean): void;
  received(): number;
  /** It was served whole, or as a stream. */
  isServed(): boolean;
  /** What was kept is needed no more, and no more comes. */
  release(): void;
};

export type BodyOptions = {
  reservation: Reservation;
  /** In bytes; undefined where only the end will tell. */
  length: number | undefined;
  serve(body: Body): void;
  /** The client is to wait, and to go on. */
  pause(): void;
  resume(): void;
  /** There is no memory for what comes, and nobody takes it. */
  overloaded(): void;
};

/** Smaller bodies that come in one piece are not counted: a connection of HTTP/1.1 has one of them at most. */
export const UNCOUNTED_BYTES = 4 * 1024;

type BodyState = {
  readonly options: BodyOptions;
  /** What has come and is not passed on. */
  readonly waiting: Pieces;
  received: number;
  /** Of the reservation. */
  taken: number;
  ended: boolean;
  served: boolean;
  released: boolean;
  /** It is read, or was. */
  hasBegun: boolean;
  reading: { onData(piece: Buffer): void; onEnd(): void } | undefined;
  /** Who reads has enough for now. */
  stopped: boolean;
};

export const createIncomingBody = (options: BodyOptions): IncomingBody => {
  const state: BodyState = {
    options,
    waiting: createPieces(),
    received: 0,
    taken: 0,
    ended: false,
    served: false,
    released: false,
    hasBegun: false,
    reading: undefined,
    stopped: false,
  };
  return {
    begin: () => {
      const { length } = options;
      if (length !== undefined && length > MOST_KEPT_OF_ONE) serveStream(state, false);
    },
    push: (piece) => push(state, piece),
    end: () => end(state),
    stream: (isConversation = false) => serveStream(state, isConversation),
    received: () => state.received,
    isServed: () => state.served,
    release: () => release(state),
  };
};

const push = (state: BodyState, piece: Buffer): void => {
  if (state.released) return;
  state.received += piece.length;
  if (state.reading !== undefined && !state.stopped) {
    state.reading.onData(piece);
    return;
  }
  const fits = keep(state, piece);
  // what a pod takes at once does not wait
  if (!state.served && (!fits || state.received > MOST_KEPT_OF_ONE)) serveStream(state, false);
  if (!fits && !state.released && !state.waiting.isEmpty()) state.options.overloaded();
};

/** False where there is no room for it; it waits all the same. */
const keep = (state: BodyState, piece: Buffer): boolean => {
  const bytes = state.waiting.add(piece);
  if (state.taken === 0 && state.received <= UNCOUNTED_BYTES) return true;
  if (!state.options.reservation.take(bytes)) return false;
  state.taken += bytes;
  return true;
};

const end = (state: BodyState): void => {
  const { options, received, waiting } = state;
  if (state.ended || state.released) return;
  state.ended = true;
  if (!state.served) {
    state.served = true;
    options.serve({ kind: "whole", pieces: waiting.takeAll(), bytes: received });
  } else if (!state.stopped && waiting.isEmpty()) finish(state);
};

const serveStream = (state: BodyState, isConversation: boolean): void => {
  const { length, pause, serve } = state.options;
  if (state.served) return;
  state.served = true;
  serve({ kind: "stream", length, isConversation, source: sourceOf(state) });
  // nobody takes what comes until then
  if (!state.hasBegun && !state.ended && !state.released) pause();
};

const sourceOf = (state: BodyState): Source => {
  const { pause, resume } = state.options;
  return {
    read: (onData, onEnd) => {
      state.hasBegun = true;
      state.reading = { onData, onEnd };
      resume();
      deliver(state);
    },
    pause: () => {
      state.stopped = true;
      pause();
    },
    resume: () => {
      if (!state.stopped) return;
      state.stopped = false;
      deliver(state);
      if (!state.stopped) resume();
    },
    isWhole: () => state.ended,
  };
};

/** Passes on what waits, as long as it is taken. */
const deliver = (state: BodyState): void => {
  const { reading, waiting } = state;
  if (reading === undefined) return;
  const pieces = waiting.takeAll();
  let at = 0;
  while (!state.stopped && at < pieces.length) {
    const piece = pieces[at++];
    if (piece !== undefined) reading.onData(piece);
  }
  give(state);
  for (const piece of pieces.slice(at)) keep(state, piece);
  if (state.ended && !state.stopped && waiting.isEmpty()) finish(state);
};

/** All of it was passed on. */
const finish = (state: BodyState): void => {
  const { reading } = state;
  state.reading = undefined;
  reading?.onEnd();
};

const give = (state: BodyState): void => {
  state.options.reservation.give(state.taken);
  state.taken = 0;
};

const release = (state: BodyState): void => {
  state.released = true;
  state.waiting.takeAll();
  give(state);
};
