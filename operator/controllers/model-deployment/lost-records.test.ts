/** Whole lives in which ControllerRevisions are deleted, whatever else goes wrong: nothing that is not proved takes requests or pods from stable. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { pass, type Rollout, readyPods, spec, stable, statusOf, weightOf } from "../../../test/simulation/passes.ts";
import { createWorld, type World } from "../../../test/simulation/world.ts";
import { findCondition } from "../../api/v1alpha1/index.ts";
import { errorFromStatus } from "../../platform/kube/errors.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../../platform/kube/resources.ts";

/** `BERTH_LIVES=500 BERTH_SEED=$RANDOM` for others than those that CI repeats. */
const RUNS = Number(process.env.BERTH_LIVES ?? 10);
const SEED = Number(process.env.BERTH_SEED ?? 1);
const PODS = 2;
const MOST_WEIGHT = 25;
const digest = `sha256:${"a".repeat(64)}`;

const event = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant("minutes" as const), minutes: fc.integer({ min: 1, max: 12 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant("records" as const), whose: fc.constantFrom("stable", "others", "all") }),
  },
  fc.record({ what: fc.constant("status" as const) }),
  fc.record({ what: fc.constant("leader" as const) }),
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant("spec" as const), file: fc.constantFrom("one", "two", "three") }),
  },
  fc.record({ what: fc.constant("writes" as const), refused: fc.constantFrom(0, 0, 403, 422, 500) }),
  fc.record({ what: fc.constant("image" as const), image: fc.constantFrom("berth-runtime:1", "berth-runtime:2") }),
);

const life = fc.record({
  rollout: fc.constantFrom<Partial<Rollout>>(
    { steps: [{ weight: "10%" }, { weight: `${MOST_WEIGHT}%`, pause: true }] },
    { strategy: "immediate" },
  ),
  /** What becomes of all that is not the first revision. */
  others: fc.constantFrom("never ready", "worse", "crashing"),
  events: fc.array(fc.tuple(event, fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 12 }),
});

const begun = async (rollout: Partial<Rollout>, others: string): Promise<{ world: World; good: string }> => {
  const world = createWorld();
  const { reconcile } = world;
  world.reconcile = async () =>
    await reconcile().catch((error: unknown) => {
      assert.match(String(error), /boom/);
      return { requeueAfterMs: 1000 };
    });
  world.put(spec("one", rollout, { scaling: { minReplicas: PODS } }));
  await world.settle();
  const good = stable(world);
  world.fate = (revision) =>
    // without a canary's evidence, one that is ready is proved
    revision === good || (others === "worse" && rollout.strategy === undefined)
      ? { ready: true, digest }
      : { ready: false, ...(others === "crashing" ? { ended: { exitCode: 1 } } : {}) };
  world.quality = (revision) => ({ errors: revision === good ? 0 : 0.2, slower: 1 });
  return { world, good };
};

it("stable keeps its role, its pods and its share, whichever records are gone, and all comes to rest", async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ events, others, rollout }) => {
      const { world, good } = await begun(rollout, others);
      let file = "one";
      const holds = () => {
        const { traffic } = statusOf(world);
        assert.deepEqual([stable(world), readyPods(world, good)], [good, PODS]);
        assert.ok(traffic === undefined || weightOf(world, good) >= 100 - MOST_WEIGHT, JSON.stringify(traffic));
      };
      for (const [happens, passes] of events) {
        switch (happens.what) {
          case "minutes":
          case "leader":
            world.changeLeader();
            break;
          case "records":
            for (const {
              metadata: { name },
            } of world.all(CONTROLLER_REVISIONS))
              if (happens.whose === "all" || (happens.whose === "stable") === (name === good))
                world.erase(CONTROLLER_REVISIONS, name);
            break;
          case "status":
            world.loseStatus();
            break;
          case "spec":
            file = happens.file;
            world.put(spec(file, rollout, { scaling: { minReplicas: PODS } }));
            break;
          case "image":
            world.settings = { ...world.settings, runtimeImage: happens.image };
            break;
          case "writes":
            world.refuses = (write) =>
              happens.refused > 0 && write.includes("ControllerRevision/")
                ? errorFromStatus(write, happens.refused, { message: "boom" })
                : undefined;
        }
        const end = world.now + (happens.what === "minutes" ? happens.minutes * 60_000 : 0);
        for (let count = 0; count < passes || world.now < end; count += 1) {
          await pass(world);
          holds();
        }
      }
      await atRest(world, holds);
      world.refuses = () => undefined;
      world.put(spec("one", rollout, { scaling: { minReplicas: PODS } }));
      const isAlone = () => world.all(DEPLOYMENTS).length === 1 && world.get(CONTROLLER_REVISIONS, good) !== undefined;
      for (let count = 0; !isAlone(); count += 1) {
        assert.ok(count < 2000, `no rest: ${statusOf(world).message}; ${world.writes.slice(-5).join("; ")}`);
        await pass(world);
        holds();
      }
      await atRest(world, holds);
      assert.equal(findCondition(statusOf(world).conditions, "Ready")?.status, "True", statusOf(world).message);
      assert.equal(findCondition(statusOf(world).conditions, "RevisionUnrecorded"), undefined);
    }),
    { numRuns: RUNS, seed: SEED },
  );
});

/** Passes without a write, but for the evidence of a rollout that goes on. */
const atRest = async (world: World, holds: () => void): Promise<void> => {
  for (let count = 0, quiet = 0; quiet < 5; count += 1) {
    assert.ok(count < 1500, `no rest: ${statusOf(world).message}; ${world.writes.slice(-8).join("; ")}`);
    const before = world.writes.length;
    await pass(world);
    holds();
    const written = world.writes.slice(before).filter((write) => !/\/status as/.test(write));
    quiet = written.length === 0 ? quiet + 1 : 0;
  }
};
