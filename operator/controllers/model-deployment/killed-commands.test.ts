/** Commands, and changes of the spec, at the very moment at which the operator is killed: each is followed, and none is followed twice. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import {
  pass,
  type Rollout,
  readyPods,
  serving,
  spec,
  stable,
  statusOf,
  weightOf,
} from "../../../test/simulation/passes.ts";
import { createFollowers } from "../../../test/simulation/routers.ts";
import { Killed, type World } from "../../../test/simulation/world.ts";
import { ACTION_ANNOTATION, MODEL_ROLLOUTS, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { DEPLOYMENTS } from "../../platform/kube/resources.ts";

/** `BERTH_LIVES=2000 BERTH_SEED=$RANDOM` for others than those that CI repeats. */
const RUNS = Number(process.env.BERTH_LIVES ?? 60);
const SEED = Number(process.env.BERTH_SEED ?? 1);
/** The pods of a swap have a minute. */
const OUTAGE_MS = 65_000;

const kinds = {
  canary: { rollout: { steps: [{ weight: "25%" }, { weight: "50%" }] }, replicas: 2, room: 2 },
  handover: { rollout: { steps: [{ weight: "50%" }] }, replicas: 3, room: 0 },
  swap: { rollout: {}, replicas: 1, room: 0 },
  blueGreen: { rollout: { strategy: "blueGreen" }, replicas: 2, room: 2 },
  shadow: { rollout: { strategy: "shadow" }, replicas: 1, room: 1 },
} as const satisfies Record<string, { rollout: Partial<Rollout>; replicas: number; room: number }>;

const scaled = (replicas: number): Partial<ModelDeploymentSpec> => ({ scaling: { minReplicas: replicas } });

/** The operator is killed before the next write but `kills[0]`, and so on. */
type Life = { world: World; old: string; step(): Promise<void> };

const begun = async (kind: keyof typeof kinds, kills: readonly number[], onKill: () => void): Promise<Life> => {
  const { replicas, rollout, room } = kinds[kind];
  const world = await serving(rollout, scaled(replicas), (one) => {
    one.slots = replicas + room;
  });
  world.isOneOperator = true;
  const followers = createFollowers(world);
  followers.follow();
  const left = [...kills];
  const next = (): void => {
    world.writesLeft = left.shift() ?? Number.POSITIVE_INFINITY;
  };
  let servedAt = world.now;
  const step = async (): Promise<void> => {
    try {
      await pass(world);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      world.changeLeader();
      next();
      onKill();
      world.act();
    }
    followers.follow();
    if (followers.isServed()) servedAt = world.now;
    assert.ok(world.now - servedAt <= OUTAGE_MS, `nobody has answered for ${world.now - servedAt} ms`);
  };
  const old = stable(world);
  world.put(spec("two", rollout, scaled(replicas)));
  next();
  return { world, old, step };
};

/** Of the rollout that runs; without effect where none does. */
const command = (world: World, word: string): boolean => {
  const { name = "" } = statusOf(world).rollout ?? {};
  const isThere = world.get(MODEL_ROLLOUTS, name) !== undefined;
  if (isThere) world.annotate(MODEL_ROLLOUTS, name, ACTION_ANNOTATION, word);
  return isThere;
};

const steps = async (life: Life, isEnd: () => boolean, most = 3000): Promise<void> => {
  for (let count = 0; !isEnd(); count++) {
    assert.ok(
      count < most,
      `no end: ${JSON.stringify(statusOf(life.world).rollout)} ${statusOf(life.world).message}; ${life.world.writes.slice(-6).join("; ")}`,
    );
    await life.step();
  }
};

const isAlone = (world: World, revision: string): boolean =>
  world.all(DEPLOYMENTS).length === 1 && stable(world) === revision && readyPods(world, revision) > 0;

const anyKind = fc.constantFrom<keyof typeof kinds>("canary", "handover", "swap", "blueGreen", "shadow");
const anyKills = fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 12 });

it("a command is followed, whichever writes the operator is killed before", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyKind,
      anyKills,
      fc.constantFrom("abort", "promote", "pause"),
      fc.nat({ max: 40 }),
      async (kind, kills, word, before) => {
        const life = await begun(kind, kills, () => undefined);
        const { old, world } = life;
        for (let count = 0; count < before; count++) await life.step();
        await steps(life, () => stable(world) !== old || statusOf(world).rollout?.name !== undefined);
        const { name = "", revision = "" } = statusOf(world).rollout ?? {};
        await steps(life, () => stable(world) !== old || command(world, word), 50);
        if (stable(world) !== old) return;
        const record = () => world.get(MODEL_ROLLOUTS, name);
        const isTaken = () => record()?.metadata.annotations?.[ACTION_ANNOTATION] === undefined;
        // before its weight is there, a step stays where it is as long as the word does
        const isHeld = () => word === "pause" && /paused by the command/.test(statusOf(world).message ?? "");
        await steps(life, () => isTaken() || isHeld());
        if (word === "abort") {
          await steps(life, () => isAlone(world, old));
          assert.equal(record()?.status?.state, "RolledBack");
        } else if (word === "promote") {
          await steps(life, () => isAlone(world, revision));
          // one that had not even begun leaves nothing to be read
          assert.equal(record()?.status?.state ?? "Promoted", "Promoted");
        } else if (stable(world) === old) {
          const weight = weightOf(world, revision);
          for (const end = world.now + 30 * 60_000; world.now < end; ) await life.step();
          assert.deepEqual([stable(world), weightOf(world, revision)], [old, weight]);
        }
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
});

const happening = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("promote", "abort", "pause", "resume", "retry", "nonsense") },
  { weight: 2, arbitrary: fc.constantFrom("spec one", "spec two", "spec three") },
  { weight: 1, arbitrary: fc.constantFrom("scale 1", "scale 4", "paused", "unpaused") },
);

/** What has happened to the spec so far. */
type Wish = { file: string; replicas: number; paused: boolean };

const happen = (world: World, kind: keyof typeof kinds, wish: Wish, what: string): void => {
  const [verb, value = ""] = what.split(" ");
  if (verb === "spec") wish.file = value;
  else if (verb === "scale") wish.replicas = Number(value);
  else if (verb === "paused" || verb === "unpaused") wish.paused = verb === "paused";
  // also those that have ended
  else
    for (const { metadata } of world.all(MODEL_ROLLOUTS))
      world.annotate(MODEL_ROLLOUTS, metadata.name, ACTION_ANNOTATION, what);
  const rollout: Partial<Rollout> = { ...kinds[kind].rollout, ...(wish.paused ? { paused: true } : {}) };
  world.put(spec(wish.file, rollout, scaled(wish.replicas)));
};

it("commands that contradict each other, with each kill one, end with all pods of one revision", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyKind,
      anyKills,
      fc.array(fc.tuple(happening, fc.nat({ max: 12 })), { minLength: 1, maxLength: 10 }),
      async (kind, kills, happenings) => {
        const wish: Wish = { file: "two", replicas: kinds[kind].replicas, paused: false };
        const left = [...happenings];
        const life = await begun(kind, kills, () => {
          const [what] = left.shift() ?? [];
          if (what !== undefined) happen(life.world, kind, wish, what);
        });
        const { world } = life;
        for (let next = left.shift(); next !== undefined; next = left.shift()) {
          happen(world, kind, wish, next[0]);
          for (let count = 0; count < next[1]; count++) await life.step();
        }
        world.slots = 10;
        happen(world, kind, wish, "unpaused");
        happen(world, kind, wish, "spec four");
        await steps(life, () => {
          command(world, "promote");
          return (
            world.all(DEPLOYMENTS).length === 1 &&
            statusOf(world).phase === "Healthy" &&
            statusOf(world).observedGeneration === world.deployment().metadata.generation &&
            readyPods(world, stable(world)) === wish.replicas
          );
        });
        await world.settle();
        const ordered = world.all(MODEL_ROLLOUTS).filter(({ metadata }) => metadata.annotations?.[ACTION_ANNOTATION]);
        assert.deepEqual(ordered, []);
        const writes = world.writes.length;
        await world.reconcile();
        assert.deepEqual(world.writes.slice(writes), []);
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
});
