import type { Header } from "./header-table.ts";
import type { RequestHead } from "./request-head.ts";

/** What a request's stream is told of. */
export type StreamHandler = {
  /** The next bytes of the body. They may be kept. */
  data(bytes: Buffer): void;
  /** The body is whole. */
  end(): void;
  /** Nothing can be sent any more: the answer has gone, the client has reset the stream, or the connection is closed. */
  closed(): void;
  /** What was written has been sent. */
  drained(): void;
  /** Called about once a second. */
  sweep(now: number): void;
};

/** The answering side of a request. All of it is ignored once the stream is gone. */
export type Stream = {
  /** `last`: there is neither a body nor are there trailers. */
  headers(headers: readonly Header[], last: boolean): void;
  /** Queues a part of the body, in one piece or several. */
  write(...pieces: Buffer[]): void;
  /** What was written and could not be sent yet, in bytes. */
  queued(): number;
  /** Writes what there is now. Returns whether all that was ever written has gone. */
  flush(): boolean;
  /** What can be written now without being queued, in bytes. */
  room(): number;
  /** Ends the answer, after what was written. */
  end(trailers: readonly Header[]): void;
  reset(code: number): void;
  /** While it is paused, the client may send no more than what its window has left. */
  pause(): void;
  resume(): void;
};

export type OnRequest = (head: RequestHead, stream: Stream) => StreamHandler;

export type Connection = {
  /** Takes no more requests, and closes when those that run are answered, or after `graceMs`. */
  leave(graceMs: number): void;
  sweep(now: number): void;
  /** What was written and its client has not taken, in bytes. */
  waiting(): number;
  /** Since when it has no call; undefined while it has. */
  idleSince(): number | undefined;
  destroy(): void;
};
