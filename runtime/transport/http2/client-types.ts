import type { HeadLimits } from "../http/request-rules.ts";
import type { Header } from "./header-table.ts";

/** Why a call has come to no answer. `unseen`: the server has not begun with it, and will not. */
export type CallFailure = { kind: "unreachable" | "unseen" | "broken"; reason: string };

/** What a call is told of, in this order; `failed` at any moment instead of the next. None of it comes before `call` has returned. */
export type CallEvents = {
  /** Its header goes out: its body may follow. */
  begun(): void;
  /** `ended`: there is no body. */
  head(status: number, headers: readonly Header[], ended: boolean): void;
  /** Bytes are a view of what was read, which is read to again once `flush` has said that all was taken. */
  data(bytes: Buffer): void;
  /** All that has come at once was told. Returns whether none of it is needed any more. */
  flush(): boolean;
  end(trailers: readonly Header[]): void;
  failed(failure: CallFailure): void;
  /** What was written has gone. */
  drained(): void;
};

/** A request that is under way. All of it is ignored once the call is over. */
export type Call = {
  /** A part of the body. False: enough waits; `drained` tells when it has gone. */
  write(piece: Buffer): boolean;
  /** The body is whole. */
  end(): void;
  /** While it is paused nothing is told, and the server may send no more than what its window has left. */
  pause(): void;
  resume(): void;
  /** Nobody waits for the answer any more: no event comes after this. */
  abort(): void;
};

export type ClientOptions = {
  /** Of an answer's header. */
  headLimits: HeadLimits;
  /** Calls that may wait for the server to say how many it takes. */
  mostCalls: number;
  /** Milliseconds, never going back. */
  now(): number;
  /** The server has said how many calls it takes at a time. */
  settled(most: number): void;
  /** A part of an answer has come. */
  moved(): void;
  /** An answer to a ping has come. */
  ponged(): void;
  /** There is no call any more. */
  idle(): void;
  /** The connection is gone. */
  closed(): void;
};

export type Client = {
  /** Undefined: the header is larger than the server takes. */
  call(headers: readonly Header[], events: CallEvents): Call | undefined;
  /**
   * What was read from the socket; it is a view, as long as that is the same place.
   * @returns whether that may be read to again: nothing that came is needed any more
   */
  read(chunk: Buffer): boolean;
  ping(): void;
  /** Calls under way, those included that wait for the connection. */
  calls(): number;
  /** It takes another one now. */
  isOpen(): boolean;
  isConnected(): boolean;
  /** Ends it; calls that are under way fail. */
  close(reason: string): void;
};
