/** Passes of the reconciler in the simulation, with what must hold after each of them. */
import assert from "node:assert/strict";
import {
  findCondition,
  type ModelDeploymentSpec,
  type ModelDeploymentStatus,
} from "../../operator/api/v1alpha1/index.ts";
import { DEPLOYMENTS, PODS } from "../../operator/platform/kube/resources.ts";
import { createWorld, type World } from "./world.ts";

export type Rollout = NonNullable<ModelDeploymentSpec["rollout"]>;

export const spec = (
  file: string,
  rollout: Partial<Rollout> = {},
  more: Partial<ModelDeploymentSpec> = {},
): ModelDeploymentSpec => ({
  model: { uri: `https://models.example.com/${file}.onnx` },
  rollout: { strategy: "canary", ...rollout },
  ...more,
});

export const statusOf = (world: World): ModelDeploymentStatus => {
  const { status } = world.deployment();
  if (status === undefined) throw new Error("no status");
  return status;
};
export const reason = (world: World) => findCondition(statusOf(world).conditions, "Ready")?.reason;
export const isStalled = (world: World) => findCondition(statusOf(world).conditions, "Stalled") !== undefined;
export const stable = (world: World) => statusOf(world).stable?.revision ?? "";
export const routes = (world: World) => statusOf(world).traffic?.routes.map(({ role, weight }) => `${role} ${weight}`);
export const weightOf = (world: World, revision: string): number =>
  statusOf(world).traffic?.routes.find((route) => route.revision === revision)?.weight ?? 0;

export const readyPods = (world: World, revision: string): number =>
  world
    .all(PODS)
    .filter(
      ({ metadata, status }) =>
        metadata.labels?.["berth.dev/revision"] === revision &&
        status?.conditions?.some(({ status, type }) => type === "Ready" && status === "True"),
    ).length;

export const replicasOf = (world: World): Record<string, number> =>
  Object.fromEntries(
    world.all(DEPLOYMENTS).map(({ metadata, spec: { replicas } = {} }) => [metadata.name, replicas ?? 0]),
  );

/** @param rollout of the first revision, which serves when this resolves */
export const serving = async (
  rollout: Partial<Rollout> = {},
  more: Partial<ModelDeploymentSpec> = {},
  prepare: (world: World) => void = () => {},
): Promise<World> => {
  const world = createWorld();
  prepare(world);
  world.put(spec("one", rollout, more));
  await world.settle();
  return world;
};

/** The table is written before the pods that follow from it: what it lacks is there after so many passes. */
const LATE_PASSES = 3;
const lacking = new WeakMap<World, number>();

/** Of the routing table and the Deployments, whatever the rollout does. */
const holds = (world: World): void => {
  const table = statusOf(world).traffic?.routes;
  if (table === undefined) return;
  const sum = table.reduce((total, { weight }) => total + weight, 0);
  assert.equal(sum, 100, `weights ${routes(world)}`);
  if ((statusOf(world).scale?.wanted ?? 1) === 0) return;
  const isSwap = statusOf(world).rollout?.capacity?.plan === "swap";
  const bare = table.filter(
    ({ revision, weight }) =>
      weight > 0 && !(isSwap && weight === 100) && (world.get(DEPLOYMENTS, revision)?.spec?.replicas ?? 0) === 0,
  );
  const passes = bare.length === 0 ? 0 : (lacking.get(world) ?? 0) + 1;
  lacking.set(world, passes);
  assert.ok(passes <= LATE_PASSES, `${bare[0]?.revision} has ${bare[0]?.weight} % of the requests and no pod`);
};

/** One pass, what the cluster makes of it, and the time until the next one. */
export const pass = async (world: World): Promise<void> => {
  const before = world.writes.length;
  const { requeueAfterMs = 1000 } = await world.reconcile();
  world.act();
  holds(world);
  // what was written brings the next pass at once
  world.now += world.writes.length > before ? 10 : Math.min(Math.max(requeueAfterMs, 1), 60_000);
};

/** More passes than any of these lives takes: something writes without an end. */
const MOST_PASSES = 5_000;

const counted = async (world: World, count: number): Promise<void> => {
  if (count > MOST_PASSES) throw new Error(`no rest: ${world.writes.slice(-12).join("; ")}`);
  await pass(world);
};

/** Passes for so many minutes of the world's time. */
export const during = async (world: World, minutes: number, look: () => void = () => {}): Promise<void> => {
  let count = 0;
  for (const end = world.now + minutes * 60_000; world.now < end; ) {
    await counted(world, ++count);
    look();
  }
};

/** Passes, up to `minutes` of the world's time, until something is as it should be. */
export const until = async (world: World, isSo: () => boolean, minutes = 240): Promise<void> => {
  let count = 0;
  for (const end = world.now + minutes * 60_000; world.now < end; ) {
    await counted(world, ++count);
    if (isSo()) return;
  }
  throw new Error(`it never came to that: ${JSON.stringify(statusOf(world).rollout)} ${statusOf(world).message}`);
};

/** Nobody asks for anything. */
export const withoutTraffic = (world: World): void => {
  const none = { compared: 0, disagreed: 0 };
  const shadow = { canary: none, self: none, failed: 0, incomparable: 0 };
  world.counts = () => [{ id: "router", startedAt: 0, revisions: {}, shadow }];
};
