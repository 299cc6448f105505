/** Whole lives of rollouts in which children are edited, deleted and made over by hand: all comes to rest as if nobody had. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { isStalled, pass, type Rollout, readyPods, spec, stable, statusOf } from "../../../test/simulation/passes.ts";
import { createWorld, type World } from "../../../test/simulation/world.ts";
import { ACTION_ANNOTATION, MODEL_ROLLOUTS, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import type { KubeObject, Resource } from "../../platform/kube/objects.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  SERVICES,
} from "../../platform/kube/resources.ts";

/** `BERTH_LIVES=500 BERTH_SEED=$RANDOM` for others than those that CI repeats. */
const RUNS = Number(process.env.BERTH_LIVES ?? 40);
const SEED = Number(process.env.BERTH_SEED ?? 1);

const CHILDREN: Readonly<Record<string, Resource<KubeObject>>> = {
  Deployment: DEPLOYMENTS,
  Service: SERVICES,
  PodDisruptionBudget: POD_DISRUPTION_BUDGETS,
  ConfigMap: CONFIG_MAPS,
  NetworkPolicy: NETWORK_POLICIES,
  ControllerRevision: CONTROLLER_REVISIONS,
  ModelRollout: MODEL_ROLLOUTS,
  Pod: PODS,
};

const edits: Readonly<Record<string, (world: World, kind: string, which: number) => void>> = {
  deleted: (world, kind, which) => {
    const one = chosen(world, kind, which);
    if (one !== undefined) world.erase(resourceOf(kind), one.metadata.name);
  },
  "without labels": (world, kind, which) => {
    const one = kind === "Pod" ? undefined : chosen(world, kind, which);
    if (one !== undefined) one.metadata.labels = {};
  },
  "without an owner": (world, kind, which) => {
    const one = kind === "Pod" ? undefined : chosen(world, kind, which);
    if (one !== undefined) one.metadata.ownerReferences = [];
  },
  scaled: (world, _, which) => {
    const spec = pick(world.all(DEPLOYMENTS), which)?.spec;
    if (spec !== undefined) spec.replicas = which % 4;
  },
  paused: (world, _, which) => {
    const spec = pick(world.all(DEPLOYMENTS), which)?.spec;
    if (spec !== undefined) spec.paused = true;
  },
  "a name for something else": (world, _, which) => {
    const spec = pick(world.all(SERVICES), which)?.spec;
    if (spec === undefined) return;
    Object.assign(spec, { type: "ExternalName", externalName: "elsewhere.example.com" });
    delete spec.clusterIP;
  },
  "of other pods": (world, _, which) => {
    const spec = pick(world.all(SERVICES), which)?.spec;
    if (spec !== undefined) spec.selector = { app: "other" };
  },
  "promoted and rejected": (world, _, which) => {
    const one = pick(world.all(CONTROLLER_REVISIONS), which);
    if (one === undefined) return;
    const marks = ["1", "-1", "9007199254740991", "9007199254740992", "NaN", ""];
    one.metadata.annotations = {
      ...one.metadata.annotations,
      "berth.dev/promoted": marks[which % marks.length] ?? "",
      "berth.dev/rejected": "{}",
    };
  },
};

const resourceOf = (kind: string): Resource<KubeObject> => CHILDREN[kind] ?? assert.fail(kind);
const pick = <T>(all: readonly T[], which: number): T | undefined => all[which % Math.max(1, all.length)];
const chosen = (world: World, kind: string, which: number): KubeObject | undefined =>
  pick(world.all(resourceOf(kind)), which);

const event = fc.record({
  edit: fc.constantFrom(...Object.keys(edits)),
  kind: fc.constantFrom(...Object.keys(CHILDREN)),
  which: fc.nat({ max: 11 }),
  passes: fc.integer({ min: 1, max: 30 }),
});

const life = fc.record({
  replicas: fc.integer({ min: 1, max: 3 }),
  room: fc.integer({ min: 0, max: 3 }),
  rollout: fc.constantFrom<Partial<Rollout>>(
    { steps: [{ weight: "25%" }, { weight: "50%" }] },
    { strategy: "blueGreen" },
    { strategy: "shadow" },
    { strategy: "immediate" },
    { steps: [{ weight: "50%" }], capacity: "handover" },
    { capacity: "swap" },
  ),
  before: fc.integer({ min: 0, max: 120 }),
  events: fc.array(event, { minLength: 1, maxLength: 6 }),
});

const isAtRest = (world: World, pods: number): boolean =>
  world.all(DEPLOYMENTS).length === 1 &&
  statusOf(world).rollout?.revision === undefined &&
  readyPods(world, stable(world)) === pods;

it("comes to rest, whatever of the children is edited in the middle of a rollout", async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ before, events, replicas, rollout, room }) => {
      const world = createWorld();
      world.isOneOperator = true;
      world.slots = replicas + room;
      const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: replicas } };
      world.put(spec("one", rollout, more));
      await world.settle();
      world.isOneOperator = true;
      world.put(spec("two", rollout, more));
      for (let count = 0; count < before; count++) await pass(world);
      for (const { edit, kind, passes, which } of events) {
        edits[edit]?.(world, kind, which);
        for (let count = 0; count < passes; count++) await pass(world);
      }
      world.slots = 10;
      for (let passes = 0; !isAtRest(world, replicas); passes++) {
        assert.ok(
          passes < 3000,
          `no rest: ${JSON.stringify(statusOf(world).rollout)} ${statusOf(world).message}; ${world.writes.slice(-5).join("; ")}`,
        );
        const { name = "", phase } = statusOf(world).rollout ?? {};
        if (phase === "paused" && world.get(MODEL_ROLLOUTS, name) !== undefined)
          world.annotate(MODEL_ROLLOUTS, name, ACTION_ANNOTATION, "resume");
        await pass(world);
      }
      await world.settle();
      const writes = world.writes.length;
      await world.reconcile();
      assert.deepEqual(world.writes.slice(writes), []);
      assert.ok(isStalled(world) || statusOf(world).phase === "Healthy", statusOf(world).message);
    }),
    { numRuns: RUNS, seed: SEED },
  );
});
