/** What an API server and a network do to an operator that is not killed. */

import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../world/patience.ts";
import { randomFrom } from "../../world/random.ts";
import type { Fault } from "./play.ts";
import type { Call, Fate } from "./proxy.ts";

const FORWARD: Fate = { do: "forward" };
/** A share of all requests, leases left out: losing the lease is a fault of its own. */
const SHARE = 0.3;
const CUT_MS = 400;
const HELD_MS = 6000;
/** The operator gives a request up after 30 s, so one is enough. */
const HUNG = 2;

const isElection = ({ plural }: Call): boolean => plural === "leases";

const STORMS: readonly Fate[] = [
  { do: "answer", status: 409, reason: "Conflict" },
  { do: "answer", status: 429, reason: "TooManyRequests", retryAfter: 1 },
  { do: "answer", status: 500, reason: "InternalError" },
  { do: "answer", status: 503, reason: "ServiceUnavailable", retryAfter: 1 },
  { do: "reset" },
  { do: "lose" },
];

/** Refusals, cut connections and lost answers, in an order that the seed repeats. */
export const storm = (seed: number): Fault => ({
  name: `409, 429, 500, 503, cut connections and lost answers for ${SHARE * 100} % of all requests (seed ${seed})`,
  async begin({ proxy }) {
    const random = randomFrom(seed);
    let hit = 0;
    proxy.rule({
      fate(call) {
        if (isElection(call) || random() >= SHARE) return FORWARD;
        const fate = STORMS[Math.floor(random() * STORMS.length)] ?? FORWARD;
        // a conflict is an answer to a write; a watch has no answer to lose
        if ((fate.do === "answer" && fate.status === 409 && !call.isWrite) || (fate.do === "lose" && call.isWatch)) {
          return FORWARD;
        }
        hit += 1;
        return fate;
      },
    });
    return async () => (hit === 0 ? "no request was hit: the fault did not happen" : undefined);
  },
});

/** Each write is carried out and its answer lost, once. */
export const lostAnswers: Fault = {
  name: "the answer to each write is lost once",
  async begin({ proxy }) {
    const lost = new Set<string>();
    proxy.rule({
      fate({ isWrite, what }) {
        if (!isWrite || lost.has(what)) return FORWARD;
        lost.add(what);
        return { do: "lose" };
      },
    });
    return async () => (lost.size === 0 ? "no write came: the fault did not happen" : undefined);
  },
};

export const hungRequest: Fault = {
  name: "one write is never answered",
  async begin({ proxy }) {
    let count = 0;
    proxy.rule({ fate: ({ isWrite }) => (isWrite && ++count === HUNG ? { do: "hang" } : FORWARD) });
    return async () => (count < HUNG ? "there was no such write: the fault did not happen" : undefined);
  },
};

export const cutWatches: Fault = {
  name: `all watches are cut every ${CUT_MS} ms`,
  async begin({ proxy }) {
    let cut = 0;
    const timer = setInterval(() => {
      for (const watch of proxy.watches) {
        cut += 1;
        watch.cut();
      }
    }, CUT_MS);
    return async () => {
      clearInterval(timer);
      return cut === 0 ? "no watch was open: the fault did not happen" : undefined;
    };
  },
};

/** What one kind tells comes late, while the others go on: the operator decides on the past. */
export const heldWatch = (plural: string): Fault => ({
  name: `what is heard of ${plural} comes ${HELD_MS / 1000} s late`,
  async begin({ proxy }) {
    const held = [...proxy.watches].filter((watch) => watch.plural === plural);
    for (const watch of held) watch.hold();
    const released = sleep(HELD_MS).then(() => {
      for (const watch of held) watch.release();
    });
    return async () => {
      await released;
      return held.length === 0 ? `nothing watches ${plural}: the fault did not happen` : undefined;
    };
  },
});

/** As after a compaction: no watch may go on from where it was, each kind has to be listed anew. */
export const compaction: Fault = {
  name: "every watch is ended, and may not go on from where it was (410)",
  async begin({ proxy }) {
    const expired = new Set<string>();
    proxy.rule({
      fate({ isWatch, plural }) {
        if (!isWatch || expired.has(plural)) return FORWARD;
        expired.add(plural);
        return { do: "answer", status: 410, reason: "Expired" };
      },
    });
    for (const watch of proxy.watches) watch.cut();
    return async () => (expired.size === 0 ? "no watch was opened again: the fault did not happen" : undefined);
  },
};

/**
 * The operator is killed in the middle, and a lagging API server then tells it lists of before the user has acted. The watches go
 * on from there, so that what happened since is heard, but late.
 */
export const staleLists: Fault = {
  name: "kill -9 after the third write, and lists of the past at the start after it",
  async begin({ proxy, operator, killAndRestart }) {
    const past = new Map<string, string>();
    // The lists of another start, now: they are the past once the user has acted.
    proxy.rule({
      listed(call, body) {
        past.set(call.plural, body);
        return body;
      },
    });
    await killAndRestart();
    await until("its caches are synced", () => operator().log().includes("caches synced"), operator().log);
    let count = 0;
    let told = 0;
    proxy.rule({
      listed(call, body) {
        const old = past.get(call.plural);
        past.delete(call.plural);
        if (old === undefined || count < 3) return body;
        told += 1;
        return old;
      },
      delivered({ isWrite }) {
        if (isWrite && ++count === 3) void killAndRestart();
      },
    });
    return async () => (told === 0 ? "no list of the past was told: the fault did not happen" : undefined);
  },
};
