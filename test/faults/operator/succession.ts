/** Two operators, of which the one that leads is paused for longer than its lease: it must not write when it wakes up. */
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../world/patience.ts";
import { type Operator, startOperator } from "./operator-process.ts";
import type { Fault, Scene, Stage } from "./play.ts";
import { type FaultProxy, startProxy } from "./proxy.ts";

/** Resumes the old leader once the other one has written: by then the lease, of 3 s, is the other's. */
const resumeLate = async (old: Operator, other: FaultProxy): Promise<void> => {
  try {
    await until("a write of the other operator", () => other.writes.length > 0);
  } finally {
    old.resume();
  }
};

/** A follower through a proxy of its own, which waits for the lease. */
const startFollower = async (stage: Stage, { arena, others }: Scene) => {
  const other = await startProxy(stage.upstream, arena.namespace);
  others.push(other);
  const follower = await startOperator(stage.installed, other.url, "operator-that-follows");
  await until("the follower waits for the lease", () => follower.log().includes("waiting for the lease"), follower.log);
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
    const woken = resumeLate(old, other);
    // told of where it is awaited
    woken.catch(() => undefined);
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
    await until("the first leads", () => scene.operator().log().includes('"leading"'), scene.operator().log);
    const { other, follower } = await startFollower(stage, scene);
    const old = scene.operator();
    let woken: Promise<void> | undefined;
    scene.proxy.rule({
      delivered(call) {
        if (!call.isWrite || woken !== undefined) return;
        old.pause();
        woken = resumeLate(old, other);
        woken.catch(() => undefined);
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
