/** Two operators, of which the one that leads is paused for longer than its lease: it must not write when it wakes up. */
import { setTimeout as sleep } from "node:timers/promises";
import { startOperator } from "./operator-process.ts";
import type { Fault, Stage } from "./play.ts";
import { startProxy } from "./proxy.ts";

/** The lease has 3 s, and the other one asks four times a second. */
const PAUSED_MS = 8000;

/** The user acts while the leader is paused; the other one has to do it all. */
export const pausedLeader = (stage: Stage): Fault => ({
  name: "the leader is paused for longer than its lease, and another follows",
  async begin({ arena, proxy, operator, others }) {
    const other = await startProxy(stage.upstream, arena.namespace);
    others.push(other);
    const follower = await startOperator(stage.installed, other.url, "operator-that-follows");
    const waiting = performance.now() + 30_000;
    while (!follower.log().includes("waiting for the lease") && performance.now() < waiting) await sleep(50);
    const old = operator();
    old.pause();
    const woken = sleep(PAUSED_MS).then(() => old.resume());
    return async () => {
      await woken;
      // a write that it began before its pause may have been carried out meanwhile; after the first of the other there is none
      await Promise.race([old.ended, sleep(5000)]);
      const [first] = other.writes;
      const late = proxy.writes.filter(({ at }) => first !== undefined && at > first.at);
      await follower.stop();
      other.close();
      if (first === undefined) return "the other operator never wrote";
      return late.length === 0 ? undefined : `the paused one wrote after the other: ${late[0]?.what}`;
    };
  },
});
