/** What all connections of a server have in common. */
import type { Share } from "../../memory/shares.ts";
import type { Pace } from "../pace.ts";
import type { Cors } from "./cors.ts";
import type { Counters } from "./counters.ts";
import type { Router } from "./router.ts";
import type { Times } from "./times.ts";
import type { Long } from "./types.ts";

export type Shared = {
  router: Router;
  /** Undefined: browsers are told nothing, and let no page of another origin ask. */
  cors: Cors | undefined;
  /** A connection's of the memory for bodies that are not whole. */
  nextIncoming(): Share;
  /** A connection's of the memory for answers that their clients have not taken, which is `maxUnsentBytes` for all. */
  nextUnsent(): Share;
  maxUnsentBytes: number;
  maxBodyBytes: number;
  /** Undefined: all is done at once. */
  long: Long | undefined;
  /** How connections are read. */
  pace: Pace;
  times: Times;
  counters: Counters;
  /** Milliseconds on `performance.now`'s clock. */
  now(): number;
  /** The line of the Date header. */
  dateLine(now: number): string;
  /** Every answer closes its connection. */
  closing: boolean;
  /** While it is there, answers wait in it instead of being written. */
  held: (() => void)[] | undefined;
  /** When the last request was answered or a connection opened. */
  lastActivity: number;
  logError(error: unknown): void;
};
