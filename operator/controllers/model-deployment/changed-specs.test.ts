/** Strategies, the way of the requests and who counts the pods change in the middle of a rollout: somebody always answers. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { pass, type Rollout, readyPods, spec, statusOf } from "../../../test/simulation/passes.ts";
import { createFollowers } from "../../../test/simulation/routers.ts";
import { createWorld, NAME } from "../../../test/simulation/world.ts";
import {
  ACTION_ANNOTATION,
  MODEL_ROLLOUTS,
  type ModelDeploymentSpec,
  REVISION_LABEL,
} from "../../api/v1alpha1/index.ts";
import { DEPLOYMENTS, SERVICES } from "../../platform/kube/resources.ts";

/** `BERTH_LIVES=500 BERTH_SEED=$RANDOM` for others than those that CI repeats. */
const RUNS = Number(process.env.BERTH_LIVES ?? 10);
const SEED = Number(process.env.BERTH_SEED ?? 1);
/** The pods of a swap have a minute. */
const OUTAGE_MS = 65_000;
/** Routers that are late follow the table after so many passes. */
const LATE_PASSES = 4;

const change = fc.record({
  file: fc.constantFrom("one", "two", "three"),
  rollout: fc.constantFrom<Partial<Rollout>>(
    { steps: [{ weight: "25%" }, { weight: "50%" }] },
    { steps: [{ weight: "50%" }], capacity: "handover" },
    { strategy: "blueGreen" },
    { strategy: "shadow" },
    { strategy: "immediate" },
    { capacity: "swap" },
    { paused: true },
  ),
  more: fc.constantFrom<Partial<ModelDeploymentSpec>>(
    { scaling: { minReplicas: 1 } },
    { scaling: { minReplicas: 3 } },
    { scaling: { minReplicas: 2 }, traffic: { path: "router" } },
    { scaling: { mode: "external", minReplicas: 1 }, replicas: 2 },
    { scaling: { mode: "external", minReplicas: 1 }, replicas: 3 },
  ),
  passes: fc.nat({ max: 60 }),
  command: fc.constantFrom(undefined, undefined, "promote", "abort", "pause"),
  areRoutersLate: fc.boolean(),
});

const life = fc.record({
  room: fc.integer({ min: 0, max: 3 }),
  first: change,
  changes: fc.array(change, { minLength: 1, maxLength: 6 }),
});

it("somebody answers, whatever of the spec changes in the middle, and all comes to rest", async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ changes, first, room }) => {
      const world = createWorld();
      world.slots = 3 + room;
      world.put(spec("one", first.rollout, first.more));
      await world.settle();
      world.isOneOperator = true;
      const followers = createFollowers(world);
      followers.follow();
      const isServed = (): boolean => {
        const revision = world.get(SERVICES, NAME)?.spec?.selector?.[REVISION_LABEL];
        return revision === undefined ? followers.isServed() : readyPods(world, revision) > 0;
      };
      let servedAt = world.now;
      let isSwapped = false;
      const step = async (isFollowed: boolean): Promise<void> => {
        await pass(world);
        if (isFollowed) followers.follow();
        if (isServed()) servedAt = world.now;
        const forMs = world.now - servedAt;
        isSwapped ||= statusOf(world).rollout?.capacity?.plan === "swap";
        assert.ok(
          forMs === 0 || (isSwapped && forMs <= OUTAGE_MS),
          `nobody has answered for ${forMs} ms; ${statusOf(world).message}`,
        );
      };
      for (const { areRoutersLate, command, file, more, passes, rollout } of changes) {
        world.put(spec(file, rollout, more));
        for (let count = 1; count <= passes; count++) await step(!areRoutersLate || count % LATE_PASSES === 0);
        const { name = "" } = statusOf(world).rollout ?? {};
        if (command !== undefined && world.get(MODEL_ROLLOUTS, name) !== undefined)
          world.annotate(MODEL_ROLLOUTS, name, ACTION_ANNOTATION, command);
      }
      world.slots = 10;
      world.put(spec("four", { strategy: "immediate" }, changes.at(-1)?.more));
      const isAtRest = () => world.all(DEPLOYMENTS).length === 1 && statusOf(world).phase === "Healthy";
      for (let count = 0; !isAtRest(); count++) {
        assert.ok(count < 2000, `no rest: ${statusOf(world).message}; ${world.writes.slice(-8).join("; ")}`);
        await step(true);
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
});
