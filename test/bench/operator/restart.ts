/** kill -9, started again at once: how long until a change is served, and what the operator asks meanwhile. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Operator } from "../../faults/operator/operator-process.ts";
import type { Subject } from "./phases.ts";

export type Restarted = {
  /** From the kill to the change's child, in milliseconds. */
  servedMs: number[];
  requestsPerRestart: number;
  writesPerRestart: number;
};

/** Repeated while the API server refuses it, as the peers' was, whose webhooks were down. */
const AGAIN_MS = 50;
const MOST_SECONDS = 60;

/** @param start a successor; resolves as soon as its process is there. */
export const restart = async (
  subject: Subject,
  times: number,
  firstVersion: number,
  start: () => Promise<Operator>,
): Promise<Restarted & { operator: Operator }> => {
  const { harness, requests } = subject;
  let { operator } = subject;
  const servedMs: number[] = [];
  const before = requests.read().length;
  const apply = async (index: number, version: number): Promise<void> => {
    for (const end = performance.now() + MOST_SECONDS * 1000; ; await sleep(AGAIN_MS)) {
      try {
        return await harness.apply(index, version);
      } catch (error) {
        if (performance.now() > end) throw error;
      }
    }
  };
  for (let time = 0; time < times; time++) {
    const version = firstVersion + time;
    const at = performance.now();
    await operator.kill();
    [operator] = await Promise.all([start(), apply(time, version)]);
    await harness.until("the change is served", () => harness.seenAt(time, version) !== undefined, MOST_SECONDS);
    servedMs.push((harness.seenAt(time, version) ?? Number.NaN) - at);
    await requests.quiet(MOST_SECONDS * 1000);
  }
  const own = requests.read().slice(before);
  return {
    servedMs,
    requestsPerRestart: own.length / times,
    writesPerRestart: own.filter(({ writes }) => writes).length / times,
    operator,
  };
};
