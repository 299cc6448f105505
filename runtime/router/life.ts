/** What is known of one request while it lives. */
import type { After } from "../event-loop/after.ts";
import type { Attempt } from "./attempt.ts";
import type { Arm, Fleet, LivePod, Slot, Wish } from "./fleet.ts";
import type { Place } from "./hold.ts";
import type { AnswerHead, Fields, Message, Reply } from "./message.ts";
import type { Client, StreamSlots } from "./stream-slots.ts";
import type { Route, Table } from "./table.ts";
import type { Tally } from "./tally.ts";
import type { Upload } from "./upload.ts";

/** What all requests of one ModelDeployment have in common. */
export type Port = {
  model: string;
  table(): Table | undefined;
  fleet: Fleet;
  streams: StreamSlots;
  /** `spec.server.requestTimeout`, in milliseconds; it starts when a hold ends. */
  timeoutMs(): number;
  /** `spec.traffic.streamIdleTimeout`, in milliseconds. */
  idleMs(): number;
  now(): number;
  after: After;
  /** In [0, 1). */
  random(): number;
  /** It has no pods while nobody asks for it; what comes then is held until there are some. */
  wakes(): boolean;
  /** Why there are no more pods, where that is known. */
  shortage(): string | undefined;
  /** A revision has no pod that is ready, and somebody waits for one. */
  wanted(arm: Arm): void;
  /** So many bytes, which an answer was read to, are not held any more. */
  freed(bytes: number): void;
  /** Stable has answered a request that counts: it may be asked again, of the canary, for comparison. */
  answered(message: Message): Capture | undefined;
};

/** Takes a copy of an answer on its way to the client. */
export type Capture = {
  head(head: AnswerHead): void;
  data(piece: Buffer): void;
  /** It is whole. `outcome` as in the head, where the trailers have changed it. */
  end(trailers: Fields, outcome: number): void;
  /** It does not come to an end. */
  dropped(): void;
};

/** The request on a pod. */
export type Asked = {
  readonly life: Life;
  readonly moves: Moves;
  readonly route: Route;
  readonly slot: Slot;
  readonly patienceMs: number;
  /** To the first byte of the answer. */
  seconds: number | undefined;
  capture: Capture | undefined;
  attempt: Attempt | undefined;
};

/** Where the request is now. `leave`: its client has. */
export type State =
  | { kind: "choosing" }
  | { kind: "held"; leave(): void }
  /** A pod has it, and no byte of an answer has been passed on. */
  | { kind: "asked"; asked: Asked }
  | { kind: "answered"; asked: Asked }
  /** Its client has an answer, or has left. */
  | { kind: "over" };

export type Life = {
  readonly port: Port;
  readonly message: Message;
  readonly reply: Reply;
  readonly client: Client;
  /** Of the header `x-berth-revision`. */
  readonly pinned: string | undefined;
  readonly isReplayable: boolean;
  readonly isSafe: boolean;
  readonly upload: Upload;
  /** By the port's clock; Infinity where there is none. */
  readonly deadlineAt: number;
  readonly tally: Tally;
  /** `not`: the pods that it was sent to since it was last held. */
  readonly wish: Wish & { not: Set<LivePod> };
  state: State;
  /** Tries that found no connection, since it was last held. */
  missed: number;
  /** It was sent again, though a pod had it or may have had it. */
  wasRepeated: boolean;
  /** A canary whose pod was sent it, and to which it does not go again. */
  hadIt: Arm | undefined;
  /** Where it waited first, it waits again. */
  place: Place | undefined;
};

/** What it can do next. */
export type Moves = {
  /** A revision is chosen, by the table as it is now. */
  begin(life: Life): void;
  tryOn(life: Life, route: Route): void;
  /** Another revision is asked in place of the one that was chosen. */
  replayOn(life: Life, from: Arm, route: Route): void;
  hold(life: Life, route: Route, arm: Arm): void;
  /** Answers it here; `forNow`: the client may come back. */
  refuse(life: Life, status: number, error: string, forNow?: "forNow"): void;
};

export const stableOf = ({ port }: Life): Route | undefined =>
  port.table()?.routes.find(({ role }) => role === "stable");

export const DEADLINE_PASSED = "the deadline of the request has passed";

export const CHOOSING: State = { kind: "choosing" };
export const OVER: State = { kind: "over" };
