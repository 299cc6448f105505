/** What the doors of all protocols have in common. */

import type { After } from "../../event-loop/after.ts";
import type { Times } from "../../transport/http/times.ts";
import type { Pace } from "../../transport/pace.ts";
import type { IsTrusted } from "../forwarded.ts";
import type { KeptBytes } from "../kept-bytes.ts";
import type { Exchange, Message, Reply } from "../message.ts";
import type { Client } from "../stream-slots.ts";

export type Door = {
  serve(message: Message, reply: Reply, client: Client): Exchange;
  kept: KeptBytes;
  times: Times;
  /** How clients' connections are read. */
  pace: Pace;
  /** Of clients' addresses: those that may say whom they speak for. */
  isTrusted: IsTrusted;
  now(): number;
  after: After;
  /** Every answer closes its connection. */
  closing(): boolean;
};

export type ClientConnection = {
  /** Ends what has outlived its time. */
  sweep(now: number): void;
  /** Takes no more requests, and closes when those that run are answered, or after `graceMs`. */
  leave(graceMs: number): void;
  /** Since when it has nothing to do; undefined while it has. */
  idleSince(): number | undefined;
  destroy(): void;
};
