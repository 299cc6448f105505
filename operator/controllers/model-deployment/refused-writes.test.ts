/** Each write of a life refused for a quarter of an hour, one at a time: nobody who is served notices, it is told of, and all heals. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  pass,
  type Rollout,
  readyPods,
  replicasOf,
  routes,
  serving,
  spec,
  stable,
  statusOf,
  withoutTraffic,
} from "../../../test/simulation/passes.ts";
import { NAME, type World } from "../../../test/simulation/world.ts";
import {
  ACTION_ANNOTATION,
  findCondition,
  MODEL_ROLLOUTS,
  type ModelDeploymentSpec,
} from "../../api/v1alpha1/index.ts";
import { errorFromStatus } from "../../platform/kube/errors.ts";
import { DEPLOYMENTS, SERVICES } from "../../platform/kube/resources.ts";

const MINUTES = 15;
/** Attempts of one write in that time: 1, 2, 4 … 30 seconds apart, and a few more where what it says changes. */
const MOST_ATTEMPTS = 2 * MINUTES + 10;
/** The status is what requests go by: it is tried every ten seconds. */
const MOST_OF_STATUS = 6 * MINUTES + 5;

const ACCOUNT = "system:serviceaccount:berth-system:berth-operator";
/** Why a write is refused: status and message. They take turns. */
const refusals: readonly (readonly [why: string, status: number, message: string])[] = [
  [
    "a right that was taken away",
    403,
    `things "x" is forbidden: User "${ACCOUNT}" cannot patch resource "things" in API group ""`,
  ],
  ["a webhook that denies", 403, 'admission webhook "policy.example.com" denied the request: no'],
  [
    "a webhook that hangs",
    500,
    'Internal error occurred: failed calling webhook "policy.example.com": context deadline exceeded',
  ],
];
const TOLD = /service account berth-system\/berth-operator|policy\.example\.com/;

type Life = { name: string; begin(): Promise<World>; act(world: World): void; isDone(world: World): boolean };

const two: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 2 } };
/** Decided by pods: the traffic of the simulation takes its time. */
const steps: Rollout["steps"] = [{ weight: "100%" }];
const isPromoted = (file: string) => (world: World) =>
  isAtRest(world) && world.get(DEPLOYMENTS, stable(world))?.spec?.template !== undefined && modelOf(world) === file;
const modelOf = (world: World): string =>
  /models\.example\.com\/(\w+)\.onnx/.exec(
    JSON.stringify(world.get(DEPLOYMENTS, stable(world))?.spec?.template),
  )?.[1] ?? "";
const isAtRest = (world: World): boolean =>
  world.all(DEPLOYMENTS).length === 1 &&
  statusOf(world).rollout?.revision === undefined &&
  findCondition(statusOf(world).conditions, "Reconciling") === undefined;
const order = (world: World, word: string) =>
  world.annotate(MODEL_ROLLOUTS, statusOf(world).rollout?.name ?? "", ACTION_ANNOTATION, word);

const rolling = (
  name: string,
  rollout: Partial<Rollout>,
  more: Partial<ModelDeploymentSpec>,
  slots?: number,
): Life => ({
  name,
  begin: () =>
    serving(rollout, more, (world) => {
      withoutTraffic(world);
      if (slots !== undefined) world.slots = slots;
    }),
  act: (world) => world.put(spec("two", rollout, more)),
  isDone: isPromoted("two"),
});

const lives: readonly Life[] = [
  rolling("an update", { strategy: "immediate" }, two),
  rolling("an update through the routers", { strategy: "immediate" }, { ...two, traffic: { path: "router" } }),
  rolling("a canary", { steps }, two),
  rolling("a handover", { steps }, two, 2),
  rolling("a swap", {}, {}, 1),
  rolling("a blue-green rollout", { strategy: "blueGreen" }, {}),
  {
    name: "an abort",
    begin: async () => {
      const world = await serving({ steps }, two);
      withoutTraffic(world);
      world.put(spec("two", { steps }, two));
      for (let i = 0; i < 60 && statusOf(world).rollout?.phase !== "observing"; i++) await pass(world);
      assert.equal(statusOf(world).rollout?.phase, "observing");
      return world;
    },
    act: (world) => order(world, "abort"),
    isDone: (world) => isAtRest(world) && modelOf(world) === "one",
  },
  {
    name: "more pods",
    begin: () => serving({ strategy: "immediate" }),
    act: (world) => world.put(spec("one", { strategy: "immediate" }, { scaling: { minReplicas: 3 } })),
    isDone: (world) => isAtRest(world) && readyPods(world, stable(world)) === 3,
  },
  {
    name: "the way off the routers",
    begin: () => serving({ strategy: "immediate" }, { traffic: { path: "router" } }),
    act: (world) => world.put(spec("one", { strategy: "immediate" }, { traffic: { path: "direct" } })),
    isDone: (world) => isAtRest(world) && statusOf(world).traffic === undefined,
  },
];

/** Requests that come now find pods: by the table where they go through the routers, which know pods by the Service of their revision. */
const isServed = (world: World): boolean => {
  const selected = world.get(SERVICES, NAME)?.spec?.selector?.["berth.dev/revision"];
  if (selected !== undefined) return readyPods(world, selected) > 0;
  const table = statusOf(world).traffic?.routes ?? [];
  return table.every(
    ({ revision, weight }) =>
      weight === 0 || (readyPods(world, revision) > 0 && world.get(SERVICES, revision) !== undefined),
  );
};

const writesOf = async ({ act, begin, isDone, name }: Life): Promise<string[]> => {
  const world = await begin();
  world.writes.length = 0;
  act(world);
  for (let count = 0; !isDone(world); count++) {
    assert.ok(count < 3000, `${name} does not end: ${statusOf(world).message}`);
    await pass(world);
  }
  return [...new Set(world.writes)];
};

const isStatus = (write: string): boolean => write.includes(`ModelDeployment/${NAME}/status`);

for (const life of lives) {
  describe(`${life.name}, with one write refused`, async () => {
    for (const [i, write] of (await writesOf(life)).entries()) {
      const [why, status, message] = refusals[i % refusals.length] ?? assert.fail();
      it(`${write}: ${why}`, async () => {
        const world = await life.begin();
        world.isOneOperator = true;
        let attempts = 0;
        let isTold = false;
        world.refuses = (what) => {
          if (what !== write) return undefined;
          attempts += 1;
          return errorFromStatus(what, status, { message });
        };
        life.act(world);
        const look = async (): Promise<void> => {
          await pass(world);
          // in a swap requests are held
          const isAnswered = life.name === "a swap" || isServed(world);
          assert.ok(isAnswered, `nobody answers: ${routes(world)} ${JSON.stringify(replicasOf(world))}`);
          isTold ||= TOLD.test(findCondition(statusOf(world).conditions, "Ready")?.message ?? "");
        };
        // a record that is refused holds up no rollout
        for (const end = world.now + MINUTES * 60_000; world.now < end && !life.isDone(world); ) await look();
        assert.ok(attempts <= (isStatus(write) ? MOST_OF_STATUS : MOST_ATTEMPTS), `${attempts} attempts`);
        const isInEvents = world.events.some((event) => /^Warning (Status|Write)Refused$/.test(event));
        assert.ok(isTold || isInEvents || attempts === 0, `not told of: ${statusOf(world).message}`);
        world.refuses = () => undefined;
        for (let count = 0; !life.isDone(world); count++) {
          assert.ok(count < 1000, `it does not heal: ${statusOf(world).message}; ${world.writes.slice(-5).join("; ")}`);
          await look();
        }
        assert.doesNotMatch(statusOf(world).message ?? "", TOLD);
      });
    }
  });
}
