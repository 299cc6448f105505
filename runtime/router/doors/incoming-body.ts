/**
 * A request's body on its way in. As long as it may be kept it is collected, and served when it is whole: then it can be sent
 * again. Once it is too large, or there is no memory to keep it, or its door says that it may never end, it is served as a stream.
 */
import { type KeptBytes, MOST_KEPT_OF_ONE } from "../kept-bytes.ts";
import type { Body } from "../message.ts";

export type IncomingBody = {
  /** A piece has come. It may be kept. */
  push(piece: Buffer): void;
  /** The body is whole. */
  end(): void;
  /** It is served as it is, as a stream, unless that has happened. `isConversation` as in Body. */
  stream(isConversation?: boolean): void;
  received(): number;
  /** What was kept is needed no more. */
  release(): void;
};

export type BodyOptions = {
  kept: KeptBytes;
  /** In bytes; undefined where only the end will tell. */
  length: number | undefined;
  serve(body: Body): void;
  /** The client is to wait, and to go on. */
  pause(): void;
  resume(): void;
};

export const createIncomingBody = ({ kept, length, serve, pause, resume }: BodyOptions): IncomingBody => {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let taken = 0;
  let ended = false;
  let served = false;
  let reading: { onData(piece: Buffer): void; onEnd(): void } | undefined;

  const release = (): void => {
    kept.give(taken);
    taken = 0;
  };
  const stream = (isConversation = false): void => {
    if (served) return;
    served = true;
    serve({
      kind: "stream",
      length,
      isConversation,
      source: {
        read: (onData, onEnd) => {
          reading = { onData, onEnd };
          const before = pieces;
          pieces = [];
          release();
          resume();
          for (const piece of before) onData(piece);
          if (ended) onEnd();
        },
        pause,
        resume,
        isWhole: () => ended,
      },
    });
    // nobody takes what comes until then
    if (reading === undefined && !ended) pause();
  };

  if (length !== undefined && length > MOST_KEPT_OF_ONE) stream();
  return {
    push: (piece) => {
      bytes += piece.length;
      if (reading !== undefined) {
        reading.onData(piece);
        return;
      }
      pieces.push(piece);
      if (served) return;
      const fits = bytes <= MOST_KEPT_OF_ONE && kept.take(piece.length);
      if (fits) taken += piece.length;
      else stream();
    },
    end: () => {
      if (ended) return;
      ended = true;
      if (reading !== undefined) reading.onEnd();
      else if (!served) {
        served = true;
        serve({ kind: "whole", pieces, bytes });
      }
    },
    stream,
    received: () => bytes,
    release,
  };
};
