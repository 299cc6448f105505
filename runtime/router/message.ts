/** Requests and answers on their way through the router, by whatever protocol they came. */

/** Names in lower case and values in turns, without what belongs to one connection alone. */
export type Fields = readonly string[];

export type Body =
  /** All of it is kept, so that it can be sent again. */
  | { kind: "whole"; pieces: readonly Buffer[]; bytes: number }
  /** It comes as the client sends it. `length` in bytes; undefined where only its end will tell. */
  | { kind: "stream"; length: number | undefined; source: Source };

export type Source = {
  /** Begins to deliver: what has come already at once, the rest as it comes. To be called once. */
  read(onData: (piece: Buffer) => void, onEnd: () => void): void;
  pause(): void;
  resume(): void;
  /** The client has sent all of it. */
  isWhole(): boolean;
};

export type Message = {
  protocol: "http" | "grpc";
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

/** The client's side of an answer. All of it is ignored once the client is gone. */
export type Reply = {
  head(head: AnswerHead): void;
  /** False: the client is slower; its exchange is told when it has caught up. */
  data(piece: Buffer): boolean;
  /** What was said until now is to reach the client, though more will come. */
  flush(): void;
  end(trailers: Fields): void;
  /** The answer cannot be finished; the client must see that it is not whole. */
  abort(): void;
};

/** What a door tells of its client while its request is answered. */
export type Exchange = {
  gone(): void;
  drained(): void;
};

/** What becomes of a request that was sent to a pod: `head`, `data` …, `end`; or `failed` at any moment instead of the next. */
export type Events = {
  head(head: AnswerHead): void;
  data(piece: Buffer): void;
  flush(): void;
  /** `outcome` as in the head, where the trailers have changed it. */
  end(trailers: Fields, outcome: number): void;
  /** `unreachable`: the pod has not seen the request. */
  failed(kind: "unreachable" | "broken", reason: string): void;
};

/** A request on its way to a pod. */
export type Sent = {
  pause(): void;
  resume(): void;
  /** Nobody waits for the answer any more: no event comes after this. */
  abort(): void;
};

export const fieldOf = (fields: Fields, name: string): string | undefined => {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
};
