/** Where the calls of one connection to a server are: which wait, which are open, and how one ends. */
import type { HeadLimits } from "../http/request-rules.ts";
import type { CallEvents, CallFailure } from "./client-types.ts";
import type { Control } from "./control.ts";
import type { HeaderEncoder } from "./header-encoder.ts";
import type { Header } from "./header-table.ts";
import { type Inflow, type Intake, STREAM_WINDOW } from "./intake.ts";
import { emptyQueue, type Outbox, type Outgoing, type Queue } from "./outbox.ts";
import { createResetByUs, type ResetByUs } from "./reset-by-us.ts";
import type { PeerSettings } from "./settings.ts";

/** What calls ask of their connection. The functions that give a boolean say whether it goes on. */
export type Host = {
  control: Control;
  outbox: Outbox;
  intake: Intake;
  encoder: HeaderEncoder;
  server: PeerSettings;
  headLimits: HeadLimits;
  /** Calls that may be open now. */
  most(): number;
  /** Ends the connection: always false. */
  fail(code: number, reason: string): false;
  /** Counts a frame that moved nothing. */
  idle(): boolean;
  /** A part of an answer has come. */
  moved(): void;
  /** A call is over. */
  gone(): void;
};

export type OpenCall = {
  /** Undefined once it is told of nothing more. */
  events: CallEvents | undefined;
  headers: readonly Header[];
  isHead: boolean;
  /** Undefined until it is begun. */
  out: Outgoing | undefined;
  inflow: Inflow;
  /** Our side has ended. */
  sent: boolean;
  status: number;
  expected: number | undefined;
  received: number;
  /** What has come while it is paused, and that its end is among it. */
  held: Queue;
  heldEnd: readonly Header[] | undefined;
  delivering: boolean;
};

export type CallsState = {
  readonly host: Host;
  readonly open: Map<number, OpenCall>;
  readonly waiting: Set<OpenCall>;
  readonly resetByUs: ResetByUs;
  /** Of which something has come. */
  readonly touched: Set<CallEvents>;
  /** Somebody has left to whom something was told that may still be needed. */
  isKept: boolean;
  lastId: number;
};

export const createCallsState = (host: Host): CallsState => ({
  host,
  open: new Map(),
  waiting: new Set(),
  resetByUs: createResetByUs(),
  touched: new Set(),
  isKept: false,
  lastId: 0,
});

/** Whether it has begun, as `out` says, and is not over. */
export const isOpen = ({ open }: CallsState, call: OpenCall, out: Outgoing): boolean => open.get(out.id) === call;

/** Nothing more is sent or taken of it. */
export const remove = ({ host, open, waiting }: CallsState, call: OpenCall): void => {
  const { out } = call;
  if (out === undefined ? !waiting.delete(call) : !open.delete(out.id)) return;
  if (out !== undefined) host.outbox.forget(out);
  host.gone();
};

export const reset = (state: CallsState, id: number, code: number): void => {
  const call = state.open.get(id);
  state.host.control.reset(id, code);
  state.resetByUs.add(id, call?.inflow.window ?? STREAM_WINDOW);
  if (call !== undefined) remove(state, call);
};

/** Nothing more is told of it. */
export const leave = (state: CallsState, call: OpenCall): CallEvents | undefined => {
  const { events } = call;
  call.events = undefined;
  call.held = emptyQueue();
  if (events !== undefined && state.touched.delete(events)) state.isKept = true;
  return events;
};

export const fail = (state: CallsState, call: OpenCall, failure: CallFailure): void => {
  const events = leave(state, call);
  remove(state, call);
  events?.failed(failure);
};

/** For what the server does wrong with a call. */
export const refuse = (state: CallsState, id: number, call: OpenCall, code: number, reason: string): true => {
  reset(state, id, code);
  fail(state, call, { kind: "broken", reason });
  return true;
};
