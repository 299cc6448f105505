/** Two operators, of which the one that leads is paused for longer than its lease: it must not write when it wakes up. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Operator, startOperator } from "./operator-process.ts";
import type { Fault, Scene, Stage } from "./play.ts";
import { type FaultProxy, startProxy } from "./proxy.ts";

/** The lease has 3 s, and the other one asks four times a second. */
const PAUSED_MS = 8000;

/** A follower through a proxy of its own, which waits for the lease. */
const startFollower = async (stage: Stage, { arena, others }: Scene) => {
  const other = await startProxy(stage.upstream, arena.namespace);
  others.push(other);
  const follower = await startOperator(stage.installed, other.url, "operator-that-follows");
  const waiting = performance.now() + 30_000;
  while (!follower.log().includes("waiting for the lease") && performance.now() < waiting) await sleep(50);
  return { other, follower };
};

/** Waits until the old leader has had its chance; what it wrote after the first write of the other. */
const lateWrites = async ({ proxy }: Scene, old: Operator, other: FaultProxy): Promise<string | undefined> => {
  // a write that it began before its pause may have been carried out meanwhile; after the first of the other there is none
  await Promise.race([old.ended, sleep(5000)]);
  const [first] = other.writes;
  if (first === undefined) return "the other operator never wrote";
  const late = proxy.writes.find(({ at }) => at > first.at);
  return late && `the paused one wrote after the other: ${late.what}`;
};

/** The user acts while the leader is paused; the other one has to do it all. */
export const pausedLeader = (stage: Stage): Fault => ({
  name: "the leader is paused for longer than its lease, and another follows",
  async begin(scene) {
    const { other, follower } = await startFollower(stage, scene);
    const old = scene.operator();
    old.pause();
    const woken = sleep(PAUSED_MS).then(() => old.resume());
    return async () => {
      await woken;
      const late = await lateWrites(scene, old, other);
      await follower.stop();
      other.close();
      return late;
    };
  },
});

/** One request a second: what it has to write waits for its turn. */
const SLOW = ["--kube-api-qps=1", "--kube-api-burst=1"];

/** It is paused with writes that wait: when it wakes up, their turn has come, and the lease has gone. */
export const pausedWithWrites = (stage: Stage): Fault => ({
  name: "the leader is paused while its writes wait for their turn, and another follows",
  async begin(scene) {
    await scene.killAndRestart({ args: [...stage.installed.args, ...SLOW] });
    const ready = performance.now() + 60_000;
    while (!scene.operator().log().includes('"leading"') && performance.now() < ready) await sleep(50);
    const { other, follower } = await startFollower(stage, scene);
    const old = scene.operator();
    let woken: Promise<void> | undefined;
    scene.proxy.rule({
      delivered(call) {
        if (!call.isWrite || woken !== undefined) return;
        old.pause();
        woken = sleep(PAUSED_MS).then(() => old.resume());
      },
    });
    return async () => {
      if (woken === undefined) return "the leader never wrote: the fault did not happen";
      await woken;
      const late = await lateWrites(scene, old, other);
      await follower.stop();
      other.close();
      return late;
    };
  },
});
