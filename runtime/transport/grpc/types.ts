import type { CallStatus } from "./status.ts";

/** One gRPC service: where it is defined, and what answers. */
export type GrpcService = {
  /** Full name, such as "inference.GRPCInferenceService". */
  name: string;
  /**
   * The .proto files that define it; imports are resolved beside each. Messages are plain objects: fields are named as in
   * the file, 64-bit numbers are strings (numbers are taken too), enums their names, bytes Buffers, absent fields their
   * defaults.
   */
  protoFiles: readonly URL[];
  /** Methods by their names in the .proto file. */
  methods: Record<string, Method>;
  /** Own encodings of some methods, in place of those that the .proto files give. */
  codecs?: Record<string, Codec>;
};

export type Codec = {
  requestDeserialize(bytes: Buffer): unknown;
  /** Of what the method's handler answers with. */
  responseSerialize(response: unknown): Buffer;
};

export type Method = UnaryMethod | EachMethod | StreamMethod;

/** One message is answered by one. What `answer` throws becomes the call's status (see statusOf). */
export type UnaryMethod<Request = unknown> = { answer(request: Request, call: UnaryCall): unknown };

export type UnaryCall = {
  /** In ms on performance.now's clock; Infinity where there is none. */
  readonly deadline: number;
  /** For the handler to set: is called where nobody waits for the answer any more. */
  onCancelled: (() => void) | undefined;
};

/**
 * Any number of messages, of which each is answered by one, in their order. One that fails ends no call: what `refusal` makes of
 * its error is its answer, which is encoded as others are.
 */
export type EachMethod<Request = unknown> = UnaryMethod<Request> & {
  /** @param message is gone when what is returned is called: it must not be kept */
  refusal(message: Buffer): (error: unknown) => unknown;
};

/** Any number of messages each way. */
export type StreamMethod<Request = unknown> = { open(call: StreamCall): StreamListener<Request> };

/** Is told of one call's messages. What it throws ends the call. */
export type StreamListener<Request = unknown> = {
  message(request: Request): void;
  /** The client has sent its last message. */
  end?(): void;
  /** What was written has gone. */
  drained?(): void;
  /** The call is over, and it was not `end` or `fail` that ended it. */
  cancelled?(): void;
};

/** All of it is ignored once the call is over. */
export type StreamCall = {
  /** As that of a UnaryCall. */
  readonly deadline: number;
  /** False where nothing more should be written before `drained`. */
  write(response: unknown): boolean;
  end(): void;
  fail(status: CallStatus): void;
  /** No more messages until `resume`; the client must wait. */
  pause(): void;
  resume(): void;
};

/** Calls whose message is read, or whose answer is written, for longer than others should wait for. `path` is the call's. */
export type LongCalls = {
  /**
   * Answers elsewhere, or says when it may be answered here; undefined: at once.
   * @param forget gives back at once what the message is counted for
   */
  ask(path: string, message: Buffer, deadline: number, forget: () => void): PendingAnswer | PendingTurn | undefined;
  /** Goes on where a handler has been told that its answer is to be written elsewhere; undefined for any other error. */
  resume(path: string, message: Buffer, deadline: number, error: unknown): PendingAnswer | undefined;
};

/** Rejects where the memory that the message holds is needed before. `cancel`: nobody waits for the answer any more. */
export type PendingTurn = { turn: Promise<void>; cancel(): void };

/** `cancel`: nobody waits for the answer any more. */
export type PendingAnswer = { answer: Promise<Buffer>; cancel(): void };
