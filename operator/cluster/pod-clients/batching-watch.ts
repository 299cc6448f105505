/**
 * Goes round the servers and asks each whether batching has ended there: no watch tells it, and a server writes no status. Ten a second
 * at most, whatever the number of pods, and none twice within 30 s.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerBatching } from "./server-batching.ts";

type ObjectKey = { namespace: string; name: string };
/** A pod that can be asked; `key` is of its ModelDeployment. */
export type AskedPod = { uid: string; address: string; key: ObjectKey };

export type BatchingWatch = {
  /** Why batching has ended in this pod, in its words; undefined: nothing says that it has. */
  endedIn(uid: string): string | undefined;
  /** One step of the round. */
  tick(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
};

export type BatchingWatchOptions = {
  /** All servers that are ready. */
  pods(): readonly AskedPod[];
  ask(address: string): Promise<ServerBatching | undefined>;
  /** Milliseconds since 1970. */
  clock(): number;
  /** What is known of a pod of it has changed. */
  changed(key: ObjectKey): void;
};

const EVERY_MS = 1000;
const ROUND_MS = 30_000;
const MOST_AT_ONCE = 10;

export const createBatchingWatch = ({ ask, changed, clock, pods }: BatchingWatchOptions): BatchingWatch => {
  const ended = new Map<string, string>();
  let round: AskedPod[] = [];
  let begunAt = Number.NEGATIVE_INFINITY;

  const begin = (now: number): void => {
    round = [...pods()];
    begunAt = now;
    const present = new Set(round.map(({ uid }) => uid));
    for (const uid of ended.keys()) if (!present.has(uid)) ended.delete(uid);
  };
  /** One that does not answer has said what it said last. */
  const inquire = async ({ address, key, uid }: AskedPod): Promise<void> => {
    const told = await ask(address);
    if (told === undefined) return;
    const reason = told.state === "ended" ? told.reason : undefined;
    if (reason === ended.get(uid)) return;
    if (reason === undefined) ended.delete(uid);
    else ended.set(uid, reason);
    changed(key);
  };
  const tick = async (): Promise<void> => {
    const now = clock();
    if (round.length === 0 && now - begunAt >= ROUND_MS) begin(now);
    await Promise.all(round.splice(0, MOST_AT_ONCE).map(inquire));
  };

  return {
    tick,
    endedIn: (uid) => ended.get(uid),
    async run(signal) {
      while (!signal.aborted) {
        // not at once: after a start there is more urgent work; the signal ends the wait
        await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
        if (!signal.aborted) await tick();
      }
    },
  };
};
