/** An answer over HTTP/2. What the client does not take is counted, and bounded in time. */

import { isBrisk, YOUNG_MS } from "../../memory/room.ts";
import { CANCEL, type Header, type Stream } from "../../transport/http2/index.ts";
import type { Fields, Reply } from "../message.ts";
import { createAmount, type Reservation } from "./reservation.ts";

export type Http2Reply = Reply & {
  begun(): boolean;
  /** The client has taken all that was written. */
  drained(): void;
  /** The stream is gone. */
  closed(): void;
  /** The client takes too long. */
  isLate(time: number): boolean;
  /** Ends it where its client is slow. */
  evict(time: number): boolean;
};

export type ReplyOptions = {
  reservation: Reservation;
  now(): number;
  /** Counts what waits for the client. False where there is no memory for it. */
  settle(): boolean;
  /** The answer is whole, though the client may not have taken all of it. */
  ended(): void;
};

/** What may wait for a client that is slow, of one answer, in bytes. */
const MOST_QUEUED = 256 * 1024;
/** What its pod may still send of an answer that was stopped, in bytes: the window of a call. */
const STOPPED_BYTES = 1024 ** 2;
const INTERNAL_ERROR = 2;
/** As over HTTP/1.1: what waits must be taken within this, and longer as long as it moves with MIN_BYTES_PER_MS on the average. */
const TRANSFER_MS = 60_000;
const MIN_BYTES_PER_MS = 100;

export const createReply = (stream: Stream, { ended, now, reservation, settle }: ReplyOptions): Http2Reply => {
  /** Of an answer without a body: they end the stream, so they go with its end. */
  let alone: Header[] | undefined;
  let begun = false;
  let cut = false;
  /** Since when something has waited. */
  let since = 0;
  const stopped = createAmount(reservation);

  /** What is called may be in the middle of something that the end of the stream changes. */
  const cutLater = (): void => {
    cut = true;
    setImmediate(() => stream.reset(INTERNAL_ERROR));
  };

  return {
    head: ({ status, fields, length, hasBody }) => {
      begun = true;
      const headers: Header[] = [[":status", String(status)], ...pairs(fields)];
      if (length !== undefined && hasBody) headers.push(["content-length", String(length)]);
      if (hasBody) stream.headers(headers, false);
      else alone = headers;
    },
    data: (piece) => {
      if (cut) return false;
      if (stream.queued() === 0) since = now();
      stream.write(piece);
      const queued = stream.queued();
      if (!settle()) cutLater();
      else if (queued >= MOST_QUEUED && !stopped.set(STOPPED_BYTES)) cutLater();
      return !cut && queued < MOST_QUEUED;
    },
    // what waits is bounded by what `data` returns
    flush: () => (stream.flush() ? "taken" : "kept"),
    end: (trailers) => {
      // the stream may be gone with its last frame: the exchange must have been let go by then
      ended();
      stopped.set(0);
      if (cut) return;
      if (alone === undefined) stream.end(pairs(trailers));
      else stream.headers(alone, true);
    },
    abort: () => {
      ended();
      stream.reset(INTERNAL_ERROR);
    },
    begun: () => begun,
    drained: () => {
      stopped.set(0);
      settle();
    },
    closed: () => {
      stopped.set(0);
      settle();
    },
    isLate: (time) => {
      const queued = stream.queued();
      return queued > 0 && time - since > TRANSFER_MS + queued / MIN_BYTES_PER_MS;
    },
    evict: (time) => {
      const queued = stream.queued();
      const ms = time - since;
      if (queued === 0 || ms < YOUNG_MS || isBrisk(queued, ms)) return false;
      stream.reset(CANCEL);
      return true;
    },
  };
};

const pairs = (fields: Fields): Header[] => {
  const headers: Header[] = [];
  for (let i = 0; i < fields.length; i += 2) headers.push([fields[i] ?? "", fields[i + 1] ?? ""]);
  return headers;
};
