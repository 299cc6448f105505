import { readdirSync } from "node:fs";
import type { Asks } from "./bystander.ts";
import type { Answer } from "./made-up-pods.ts";

/** What is fuzzed. */
export type Target = {
  ports: { http: number; grpc: number };
  /** Where others are served, if that is elsewhere. */
  bystander?: { http: number; grpc: number };
  asks: Asks;
  /** Before the clients of a case come: what half-dead pods answer to them. */
  begin(number: number, answers: readonly Answer[]): void;
  /** Why it is over; undefined while it lives. */
  ended(): string | undefined;
  /** What is under way, and must be none once the clients have left. Rejects where nobody answers. */
  busy(): Promise<Record<string, number>>;
  /** Open handles of its processes. */
  handles(): number;
  /** Bytes of its processes. */
  memory(): number;
};

export const handlesOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
