/** A status that somebody has edited, or of which a backup has brought an older part back. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { pass, type Rollout, readyPods, spec, stable, statusOf } from "../../../test/simulation/passes.ts";
import { createFollowers, type Followers } from "../../../test/simulation/routers.ts";
import { anyStatusEdit, withEdits } from "../../../test/simulation/statuses.ts";
import { createWorld, type Fate, type World } from "../../../test/simulation/world.ts";
import {
  ACTION_ANNOTATION,
  MODEL_ROLLOUTS,
  type ModelDeploymentSpec,
  type ModelDeploymentStatus,
} from "../../api/v1alpha1/index.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../../platform/kube/resources.ts";

/** `BERTH_LIVES=5000 BERTH_SEED=$RANDOM` for others than those that CI repeats. */
const RUNS = Number(process.env.BERTH_LIVES ?? 300);
const SEED = Number(process.env.BERTH_SEED ?? 1);
const good: Fate = { ready: true, digest: `sha256:${"a".repeat(64)}` };

/** What serves nobody for longer is an outage: a swap's pods have a minute, which an edit may begin anew. */
const OUTAGE_MS = 65_000;
/** Whatever the status says, nobody has asked for more. */
const MOST_PODS = 8;

const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ edits: fc.array(anyStatusEdit, { minLength: 1, maxLength: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      back: fc.nat({ max: 60 }),
      parts: fc.subarray(["rollout", "stable", "canary", "traffic", "scale", "conditions"] as const, { minLength: 1 }),
    }),
  },
);

const life = fc.record({
  replicas: fc.integer({ min: 1, max: 3 }),
  room: fc.integer({ min: 0, max: 3 }),
  rollout: fc.constantFrom<Partial<Rollout>>(
    { steps: [{ weight: "25%" }, { weight: "50%" }] },
    { steps: [{ weight: "50%", pause: true }] },
    { strategy: "blueGreen" },
    { strategy: "shadow" },
    { strategy: "immediate" },
    { steps: [{ weight: "50%" }], capacity: "handover" },
    { capacity: "swap" },
  ),
  second: fc.constantFrom("good", "harmful", "never ready"),
  before: fc.integer({ min: 0, max: 60 }),
  events: fc.array(fc.tuple(event, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 4 }),
});

type Happens = (typeof life extends fc.Arbitrary<infer Life> ? Life : never)["events"][number][0];

/** Somebody edits the status; undefined where the API server takes no such status. */
const edited = (world: World, happens: Happens, older: readonly ModelDeploymentStatus[]) => {
  const status = statusOf(world);
  if ("edits" in happens) {
    const names = [
      ...world.all(CONTROLLER_REVISIONS).map(({ metadata }) => metadata.name),
      ...world.all(MODEL_ROLLOUTS).map(({ metadata }) => metadata.name),
      "nobody",
    ];
    return withEdits(status, happens.edits, { names, now: world.now });
  }
  const before = older[Math.max(0, older.length - 1 - happens.back)] ?? status;
  const parts = happens.parts.map((part) => ({ path: [part], value: () => before[part] }));
  return withEdits(status, parts, { names: [], now: world.now });
};

const tellsOfRollout = (happens: Happens): boolean => {
  const parts: unknown[] = "edits" in happens ? happens.edits.map(({ path }) => path[0]) : happens.parts;
  return parts.includes("rollout") || parts.includes("stable");
};

type Watch = Followers & { servedAt: number; edit(status: ModelDeploymentStatus): void; pass(): Promise<void> };

const watched = (world: World): Watch => {
  const followers = createFollowers(world);
  const watch: Watch = {
    ...followers,
    servedAt: world.now,
    edit: (status) => {
      world.editStatus(status);
      watch.follow();
      watch.servedAt = world.now;
    },
    pass: async () => {
      await pass(world);
      watch.follow();
      if (watch.isServed()) watch.servedAt = world.now;
      assert.ok(
        world.now - watch.servedAt <= OUTAGE_MS,
        `nobody has answered since ${world.now - watch.servedAt} ms: ${watch.words()} ${JSON.stringify(statusOf(world))} ${world.writes.slice(-12).join("; ")}`,
      );
      for (const { spec } of world.all(DEPLOYMENTS)) assert.ok((spec?.replicas ?? 0) <= MOST_PODS);
    },
  };
  return watch;
};

it("costs no request and no promotion, and is as it should be in the end, whatever it says", async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ before, events, replicas, rollout, room, second }) => {
      const world = createWorld();
      world.isOneOperator = true;
      world.slots = replicas + room;
      const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: replicas } };
      world.put(spec("one", rollout, more));
      await world.settle();
      const old = stable(world);
      world.fate = (revision) => (revision === old || second !== "never ready" ? good : { ready: false });
      world.quality = (revision) => ({ errors: revision !== old && second === "harmful" ? 0.2 : 0, slower: 1 });
      world.put(spec("two", rollout, more));
      const watch = watched(world);
      watch.follow();
      const older: ModelDeploymentStatus[] = [];
      let isTold = false;
      const isCompared = rollout.steps !== undefined && (room >= replicas || replicas > 1);
      const step = async () => {
        older.push(statusOf(world));
        await watch.pass();
      };
      for (let count = 0; count < before; count++) await step();
      for (const [happens, passes] of events) {
        const status = edited(world, happens, older);
        if (status !== undefined) watch.edit(status);
        isTold ||= tellsOfRollout(happens);
        for (let count = 0; count < passes; count++) await step();
        // what an edit says of the rollout may be that it is proved
        if (second === "never ready" || (second === "harmful" && isCompared && !isTold))
          assert.equal(stable(world), old);
      }
      await healed(world, watch, rollout, more, replicas);
    }),
    { numRuns: RUNS, seed: SEED },
  );
});

/** A new spec that is good, and a person who says so, end it all. */
const healed = async (
  world: World,
  watch: Watch,
  rollout: Partial<Rollout>,
  more: Partial<ModelDeploymentSpec>,
  replicas: number,
): Promise<void> => {
  world.slots = 10;
  world.fate = () => good;
  world.quality = () => ({ errors: 0, slower: 1 });
  world.put(spec("three", rollout, more));
  const isAtRest = () =>
    world.all(DEPLOYMENTS).length === 1 &&
    statusOf(world).phase === "Healthy" &&
    statusOf(world).observedGeneration === world.deployment().metadata.generation &&
    statusOf(world).rollout?.revision === undefined &&
    readyPods(world, stable(world)) === replicas;
  for (let passes = 0; !isAtRest(); passes++) {
    assert.ok(
      passes < 3000,
      `no rest: ${JSON.stringify(statusOf(world).rollout)} ${statusOf(world).message}; ${world.writes.slice(-5).join("; ")}`,
    );
    const { name = "" } = statusOf(world).rollout ?? {};
    if (world.get(MODEL_ROLLOUTS, name) !== undefined)
      world.annotate(MODEL_ROLLOUTS, name, ACTION_ANNOTATION, "promote");
    await watch.pass();
  }
  await world.settle();
  const writes = world.writes.length;
  await world.reconcile();
  assert.deepEqual(world.writes.slice(writes), []);
};
