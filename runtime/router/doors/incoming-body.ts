/**
 * A request's body on its way in. As long as it may be kept it is collected, and served when it is whole: then it can be sent
 * again. Once it is too large, or there is no memory to keep it, or its door says that it may never end, it is served as a stream.
 */
import { MOST_KEPT_OF_ONE } from "../kept-bytes.ts";
import type { Body } from "../message.ts";
import { createPieces } from "./pieces.ts";
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

export const createIncomingBody = (options: BodyOptions): IncomingBody => {
  const { length, overloaded, pause, reservation, resume, serve } = options;
  const waiting = createPieces();
  let received = 0;
  /** Of the reservation. */
  let taken = 0;
  let ended = false;
  let served = false;
  let released = false;
  let reading: { onData(piece: Buffer): void; onEnd(): void } | undefined;
  /** Who reads has enough for now. */
  let stopped = false;

  const give = (): void => {
    reservation.give(taken);
    taken = 0;
  };
  const release = (): void => {
    released = true;
    waiting.takeAll();
    give();
  };

  /** Passes on what waits, as long as it is taken. */
  const deliver = (): void => {
    if (reading === undefined) return;
    const pieces = waiting.takeAll();
    let at = 0;
    while (!stopped && at < pieces.length) {
      const piece = pieces[at++];
      if (piece !== undefined) reading.onData(piece);
    }
    give();
    for (const piece of pieces.slice(at)) keep(piece);
    if (ended && !stopped && waiting.isEmpty()) finish();
  };
  const finish = (): void => {
    const reader = reading;
    reading = undefined;
    reader?.onEnd();
  };

  /** False where there is no room for it; it waits all the same. */
  const keep = (piece: Buffer): boolean => {
    const bytes = waiting.add(piece);
    if (taken === 0 && received <= UNCOUNTED_BYTES) return true;
    if (!reservation.take(bytes)) return false;
    taken += bytes;
    return true;
  };

  const stream = (isConversation = false): void => {
    if (served) return;
    served = true;
    let hasBegun = false;
    serve({
      kind: "stream",
      length,
      isConversation,
      source: {
        read: (onData, onEnd) => {
          hasBegun = true;
          reading = { onData, onEnd };
          resume();
          deliver();
        },
        pause: () => {
          stopped = true;
          pause();
        },
        resume: () => {
          if (!stopped) return;
          stopped = false;
          deliver();
          if (!stopped) resume();
        },
        isWhole: () => ended,
      },
    });
    // nobody takes what comes until then
    if (!hasBegun && !ended && !released) pause();
  };

  return {
    begin: () => {
      if (length !== undefined && length > MOST_KEPT_OF_ONE) stream();
    },
    push: (piece) => {
      if (released) return;
      received += piece.length;
      if (reading !== undefined && !stopped) {
        reading.onData(piece);
        return;
      }
      const fits = keep(piece);
      // what a pod takes at once does not wait
      if (!served && (!fits || received > MOST_KEPT_OF_ONE)) stream();
      if (!fits && !released && !waiting.isEmpty()) overloaded();
    },
    end: () => {
      if (ended || released) return;
      ended = true;
      if (!served) {
        served = true;
        serve({ kind: "whole", pieces: waiting.takeAll(), bytes: received });
      } else if (!stopped && waiting.isEmpty()) finish();
    },
    stream,
    received: () => received,
    isServed: () => served,
    release,
  };
};
