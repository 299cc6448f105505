/** Requests and answers on their way through the router, by whatever protocol they came. */

import type { Fields } from "../transport/http/fields.ts";

/** Names in lower case and values in turns, without what belongs to one connection alone. */
export type { Fields };

export type Body =
  /** All of it is kept, so that it can be sent again. */
  | { kind: "whole"; pieces: readonly Buffer[]; bytes: number }
  /**
   * It comes as the client sends it. `length` in bytes; undefined where only its end will tell. `isConversation`: the client pauses
   * within it, so that it may wait for an answer before it goes on.
   */
  | { kind: "stream"; length: number | undefined; isConversation?: boolean; source: Source };

export type Source = {
  /** Begins to deliver: what has come already at once, the rest as it comes. To be called once. */
  read(onData: (piece: Buffer) => void, onEnd: () => void): void;
  pause(): void;
  resume(): void;
  /** The client has sent all of it. */
  isWhole(): boolean;
};

export type Protocol = "http" | "grpc";

export type Message = {
  protocol: Protocol;
  method: string;
  /** Path and query as they came. */
  target: string;
  fields: Fields;
  body: Body;
};

export type AnswerHead = {
  status: number;
  fields: Fields;
  /** Of the body, in bytes; undefined where only its end will tell. */
  length: number | undefined;
  /** False for the answers that never have one, whatever `length` says (HEAD, 204, 304). */
  hasBody: boolean;
  /** The HTTP status that it amounts to: `status`, but for gRPC, which says 200 and then something else. */
  outcome: number;
};

/**
 * What has become of what was said: all that ever was is `taken`; something is `held` until the client takes it; so much that it is `full`,
 * and nothing more is to come until it has; or it is `kept`, nobody knows for how long.
 */
export type Flushed = "taken" | "held" | "full" | "kept";

/** The client's side of an answer. All of it is ignored once the client is gone. */
export type Reply = {
  head(head: AnswerHead): void;
  /** False: the client is slower; its exchange is told when it has caught up. */
  data(piece: Buffer): boolean;
  /** What was said until now is to reach the client, though more will come. After the end it only tells. */
  flush(): Flushed;
  end(trailers: Fields): void;
  /** The answer cannot be finished; the client must see that it is not whole. */
  abort(): void;
};

/** What a door tells of its client while its request is answered. */
export type Exchange = {
  gone(): void;
  drained(): void;
  /** It waits for a pod. */
  isHeld(): boolean;
};

/** Why a try has come to no answer. */
export type Failure =
  /** There was no connection: nothing was sent. */
  | "unreachable"
  /** The pod has not begun with it, as it says itself: GOAWAY, REFUSED_STREAM, 408 on a connection that it was about to close. */
  | "unseen"
  /** A connection that had been idle ended before any byte of an answer: closed as the request came, or because of it. */
  | "stale"
  /** The connection ended after the request was sent, or in the middle of it: the pod may have worked on it. */
  | "broken"
  /** It cannot be said in the pod's protocol: nothing was sent, and that is the request's fault. */
  | "invalid";

/**
 * What becomes of a request that was sent to a pod: `reached`, `head`, `data` …, `end`; or `failed` at any moment instead of the next.
 * Only `reached` may come before `send` has returned.
 */
export type Events = {
  /** There is a connection: what a body's source has is taken from now on. */
  reached(): void;
  head(head: AnswerHead): void;
  data(piece: Buffer): void;
  /** All that has come at once was told, `end` included. What is "taken" is needed no more: its memory is used again. */
  flush(): Flushed;
  /** `outcome` as in the head, where the trailers have changed it. */
  end(trailers: Fields, outcome: number): void;
  failed(kind: Failure, reason: string): void;
};

/** A request on its way to a pod. */
export type Sent = {
  pause(): void;
  resume(): void;
  /** Nobody waits for the answer any more: no event comes after this. */
  abort(): void;
};
