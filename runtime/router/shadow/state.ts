/** What the copies of requests have in common. */
import type { Fleet } from "../fleet.ts";
import type { KeptBytes } from "../kept-bytes.ts";
import type { Message } from "../message.ts";
import type { Table } from "../table.ts";
import type { Tolerance } from "./compare.ts";
import type { ShadowCounters } from "./counters.ts";
import type { Judging } from "./judging.ts";

export type ShadowOptions = {
  table(): Table | undefined;
  fleet: Fleet;
  kept: KeptBytes;
  timeoutMs(): number;
  /** By output. */
  tolerances(): ReadonlyMap<string, Tolerance>;
  judging: Judging;
  /** Requests under way on one pod. */
  cap: number;
  /** In [0, 1). */
  random(): number;
};

/** `revisions`: the two that are compared; `isSuspect`: of them an answer had lost its numbers when this pair was chosen. */
export type Pair = { kind: "canary" | "self"; message: Message; revisions: string; isSuspect: boolean };

/** What is known of the copies so far. */
export type ShadowState = {
  readonly options: ShadowOptions;
  readonly counters: ShadowCounters;
  /** Under way. */
  copies: number;
  /** Of a stable revision: copies that went to it again. */
  self: { revision: string; copies: number };
  /** The two revisions of which an answer has lost its numbers. */
  suspects: string;
  /** Answers are read one pair after another, so that no more than two are in memory as tensors. */
  judged: Promise<void>;
};

/** Of its cap, what a pod may be busy with and still get copies: clients come first. */
export const BUSY_SHARE = 0.25;
