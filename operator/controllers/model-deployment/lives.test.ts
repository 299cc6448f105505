/** Whole lives of rollouts with whatever can happen in the middle; `passes.ts` holds what must be so after each pass. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { isStalled, pass, type Rollout, readyPods, spec, stable, statusOf } from "../../../test/simulation/passes.ts";
import { createWorld, type Fate, type World } from "../../../test/simulation/world.ts";
import { ACTION_ANNOTATION, MODEL_ROLLOUTS, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { DEPLOYMENTS } from "../../platform/kube/resources.ts";
import { believed } from "./believed.ts";

/** `BERTH_LIVES=500 BERTH_SEED=$RANDOM` for others than those that CI repeats. */
const RUNS = Number(process.env.BERTH_LIVES ?? 25);
const SEED = Number(process.env.BERTH_SEED ?? 1);

const good: Fate = { ready: true, digest: `sha256:${"a".repeat(64)}` };
const fates: Record<string, Fate> = {
  good,
  slow: { ...good, ready: false },
  roomless: { ready: false, pending: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu." },
  crashing: { ready: false, ended: { exitCode: 1 } },
};

const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constant("minutes" as const), minutes: fc.integer({ min: 1, max: 15 }) }),
  },
  fc.record({ what: fc.constant("spec" as const), file: fc.constantFrom("one", "two", "three") }),
  fc.record({ what: fc.constant("scale" as const), replicas: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ what: fc.constant("order" as const), word: fc.constantFrom("promote", "abort", "pause", "resume") }),
  fc.record({ what: fc.constant("pause" as const), paused: fc.boolean() }),
  fc.record({
    what: fc.constant("fate" as const),
    whose: fc.constantFrom("stable" as const, "candidate" as const),
    fate: fc.constantFrom("good", "slow", "roomless", "crashing"),
  }),
  fc.record({ what: fc.constant("leader" as const) }),
);

const life = fc.record({
  replicas: fc.integer({ min: 1, max: 4 }),
  room: fc.integer({ min: 0, max: 3 }),
  rollout: fc.constantFrom<Partial<Rollout>>(
    { steps: [{ weight: "25%" }, { weight: "50%" }] },
    { steps: [{ weight: "50%" }] },
    { steps: [{ weight: "10%", pause: true }, { weight: "60%" }] },
    { strategy: "blueGreen" },
    { strategy: "shadow" },
    { steps: [{ weight: "50%" }], capacity: "handover" },
  ),
  events: fc.array(event, { minLength: 1, maxLength: 10 }),
});

type Life = { world: World; write(): void; file: string; replicas: number; paused: boolean };

const start = async (first: number, room: number, rollout: Partial<Rollout>): Promise<Life> => {
  const world = createWorld();
  world.slots = first + room;
  const one: Life = {
    ...{ world, file: "one", replicas: first, paused: false },
    write: () => {
      const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: one.replicas } };
      world.put(spec(one.file, { ...rollout, ...(one.paused ? { paused: true } : {}) }, more));
    },
  };
  one.write();
  await world.settle();
  return one;
};

it("a rollout keeps its invariants whatever happens in the middle, and comes to rest", async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ events, replicas, rollout, room }) => {
      const one = await start(replicas, room, rollout);
      const { world } = one;
      const bad = new Map<string, Fate>();
      world.fate = (revision) => bad.get(revision) ?? good;
      for (const happens of events) {
        switch (happens.what) {
          case "minutes":
            break;
          case "spec":
            one.file = happens.file;
            break;
          case "scale":
            one.replicas = happens.replicas;
            break;
          case "pause":
            one.paused = happens.paused;
            break;
          case "order": {
            const name = statusOf(world).rollout?.name;
            if (name !== undefined && world.get(MODEL_ROLLOUTS, name) !== undefined)
              world.annotate(MODEL_ROLLOUTS, name, ACTION_ANNOTATION, happens.word);
            break;
          }
          case "fate": {
            const revision = happens.whose === "stable" ? stable(world) : statusOf(world).rollout?.revision;
            if (revision !== undefined) bad.set(revision, fates[happens.fate] ?? good);
            break;
          }
          case "leader":
            world.changeLeader();
        }
        one.write();
        const minutes = happens.what === "minutes" ? happens.minutes : 1;
        for (const end = world.now + minutes * 60_000; world.now < end; ) {
          await pass(world);
          const observed = world.observed();
          assert.equal(believed(observed, world.now), observed, "what the operator has written is believed");
        }
      }
      // what was wrong is mended, and there is room for strategies that wait for it: it comes to rest, with all pods of one revision
      if (rollout.strategy !== undefined) world.slots = 10;
      bad.clear();
      one.paused = false;
      one.write();
      const isAtRest = () =>
        world.all(DEPLOYMENTS).length === 1 &&
        statusOf(world).rollout?.revision === undefined &&
        readyPods(world, stable(world)) === Math.min(one.replicas, world.slots);
      for (let passes = 0; !isAtRest(); passes++) {
        if (passes > 3000)
          assert.fail(
            `no rest: ${JSON.stringify(statusOf(world).rollout)} ${statusOf(world).message}; ${world.writes.slice(-5).join("; ")}`,
          );
        // a step that pauses waits for a person, and so does what a person has paused before it began
        const { name = "", phase } = statusOf(world).rollout ?? {};
        const record = world.get(MODEL_ROLLOUTS, name);
        if (
          record !== undefined &&
          (phase === "paused" || record.metadata.annotations?.[ACTION_ANNOTATION] === "pause")
        )
          world.annotate(MODEL_ROLLOUTS, name, ACTION_ANNOTATION, "resume");
        await pass(world);
      }
      await world.settle();
      const writes = world.writes.length;
      await world.reconcile();
      assert.deepEqual(world.writes.slice(writes), []);
      assert.ok(
        isStalled(world) || statusOf(world).phase === "Healthy" || one.replicas > world.slots,
        statusOf(world).message,
      );
    }),
    { numRuns: RUNS, seed: SEED },
  );
});
