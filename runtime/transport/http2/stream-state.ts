/** Where the requests of one connection are: which are open, and how one ends. */
import type { HeadLimits } from "../http/request-rules.ts";
import type { Control } from "./control.ts";
import type { HeaderEncoder } from "./header-encoder.ts";
import type { Inflow, Intake } from "./intake.ts";
import type { Outbox, Outgoing } from "./outbox.ts";
import * as http2 from "./protocol.ts";
import { createResetByUs, type ResetByUs } from "./reset-by-us.ts";
import type { PeerSettings } from "./settings.ts";
import type { OnRequest, StreamHandler } from "./types.ts";

/** What streams ask of their connection. The functions that give a boolean say whether it goes on. */
export type Host = {
  control: Control;
  outbox: Outbox;
  intake: Intake;
  encoder: HeaderEncoder;
  client: PeerSettings;
  maxConcurrentStreams: number;
  /** What a client may send of a stream at first, in bytes; it grows up to STREAM_WINDOW as that is taken. */
  firstWindow: number;
  headLimits: HeadLimits;
  onRequest: OnRequest;
  /** Ends the connection: always false. */
  fail(code: number, reason: string): false;
  /** Counts a frame that moved nothing. */
  idle(): boolean;
  /** Counts a stream that was reset. */
  resets(): boolean;
  /** Writes what there is now. Whether nothing of the connection waits any more. */
  flush(): boolean;
  /** A stream is gone. */
  gone(): void;
};

export type OpenStream = {
  handler: StreamHandler | undefined;
  out: Outgoing;
  inflow: Inflow;
  remoteEnded: boolean;
  expected: number | undefined;
  received: number;
};

export type StreamsState = {
  readonly host: Host;
  readonly open: Map<number, OpenStream>;
  readonly resetByUs: ResetByUs;
  /** The last one that the client has opened, and the last that is served. */
  lastId: number;
  lastServed: number;
  /** A part of a request or an answer has moved since this was asked last. */
  moved: boolean;
};

export const createStreamsState = (host: Host): StreamsState => ({
  host,
  open: new Map(),
  resetByUs: createResetByUs(),
  lastId: 0,
  lastServed: http2.MOST_WINDOW,
  moved: false,
});

export const isOpen = ({ open }: StreamsState, stream: OpenStream): boolean => open.get(stream.out.id) === stream;

/** Nothing more is sent or taken of it. */
export const abandon = ({ host, open }: StreamsState, stream: OpenStream): void => {
  host.outbox.forget(stream.out);
  open.delete(stream.out.id);
  host.gone();
  const { handler } = stream;
  stream.handler = undefined;
  handler?.closed();
};

export const resetStream = (state: StreamsState, id: number, code: number): void => {
  const { host, open, resetByUs } = state;
  host.control.reset(id, code);
  const stream = open.get(id);
  resetByUs.add(id, stream?.inflow.window ?? host.firstWindow);
  if (stream !== undefined) abandon(state, stream);
};

/** For what a client does wrong with a call: it must not be a cheaper way to end many than to reset them. */
export const refuseStream = (state: StreamsState, id: number, code: number): boolean => {
  resetStream(state, id, code);
  return state.host.resets();
};

/** The client has sent all of the request. */
export const endRemote = (state: StreamsState, stream: OpenStream): boolean => {
  if (stream.expected !== undefined && stream.expected !== stream.received) {
    return refuseStream(state, stream.out.id, http2.PROTOCOL_ERROR);
  }
  stream.remoteEnded = true;
  stream.handler?.end();
  return true;
};

/** The client may send on as much as was taken of it. */
export const giveBack = ({ host }: StreamsState, { inflow, out, remoteEnded }: OpenStream): void => {
  if (!remoteEnded) host.intake.giveBackOf(out.id, inflow);
};
