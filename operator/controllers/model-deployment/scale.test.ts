import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorld, NAME, type World } from "../../../test/simulation/world.ts";
import { findCondition, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import type { Scale } from "../../domain/scaling/scale.ts";
import { DEPLOYMENTS, SERVICES } from "../../platform/kube/resources.ts";

const spec = (rest: Partial<ModelDeploymentSpec> = {}, file = "one"): ModelDeploymentSpec => ({
  model: { uri: `https://models.example.com/${file}.onnx` },
  scaling: { minReplicas: 0, maxReplicas: 4 },
  ...rest,
});
const scale = (rest: Partial<Scale>): Scale => ({
  ...{ wanted: 1, canary: undefined, why: "load", words: "5 requests a second", shortage: undefined, deaf: undefined },
  ...{
    learnt: {
      startSeconds: 12.5,
      phases: { schedule: 0, fetch: 2 },
      curve: { each: 0.01, perItem: 0.002, maxBatch: 8, parallel: 2 },
    },
    ...rest,
  },
});
const statusOf = (world: World) => {
  const { status } = world.deployment();
  if (status === undefined) throw new Error("no status");
  return status;
};
const conditionOf = (world: World, type: Parameters<typeof findCondition>[1]) => {
  const { message, reason, status } = findCondition(statusOf(world).conditions, type) ?? {};
  return { message, reason, status };
};
const replicas = (world: World) => world.all(DEPLOYMENTS).map((deployment) => deployment.spec?.replicas);

const serving = async (decided: Partial<Scale> = {}, rest: Partial<ModelDeploymentSpec> = {}): Promise<World> => {
  const world = createWorld();
  world.scale = () => scale(decided);
  world.put(spec(rest));
  await world.settle();
  return world;
};

describe("a ModelDeployment whose number of pods follows the load", () => {
  it("is stalled with the field named where its schedule never comes or moves nothing; another one heals it", async () => {
    const scaling = { minReplicas: 1, maxReplicas: 3 };
    const schedule = [{ cron: "0 8 * * *", minReplicas: 2 }];
    const world = await serving({}, { scaling });
    const cases: [NonNullable<ModelDeploymentSpec["scaling"]>, RegExp][] = [
      [
        { ...scaling, schedule: [{ cron: "0 0 30 2 *", minReplicas: 2 }] },
        /spec: scaling\.schedule\[0\]\.cron: .*never matches/,
      ],
      [{ minReplicas: 2, schedule }, /spec: scaling\.schedule: needs a range of pods/],
    ];
    for (const [wrong, message] of cases) {
      world.put(spec({ scaling: wrong }));
      await world.settle();
      assert.equal(conditionOf(world, "Stalled").reason, "InvalidSpec");
      assert.match(conditionOf(world, "Ready").message ?? "", message);
    }
    world.put(spec({ scaling: { ...scaling, schedule } }));
    await world.settle();
    assert.equal(conditionOf(world, "Ready").status, "True");
  });

  it("has the pods that were decided, says why, and tells of the change", async () => {
    const world = await serving();
    world.scale = () => scale({ wanted: 3 });
    await world.settle();
    assert.deepEqual(replicas(world), [3]);
    assert.deepEqual(statusOf(world).scale, {
      ...{
        replicas: 3,
        selector: `berth.dev/model-deployment=${NAME}`,
        wanted: 3,
        why: "load",
        message: "5 requests a second",
      },
      learnt: {
        startMs: 12_500,
        phases: { scheduleMs: 0, fetchMs: 2000 },
        run: { eachUs: 10_000, perItemUs: 2000, maxBatch: 8, parallel: 2 },
      },
    });
    assert.ok(world.events.includes("Normal Scaled"));
    assert.deepEqual(conditionOf(world, "Ready").status, "True");
  });

  it("is proved with a pod, though nobody asks for anything, and then has none and is Ready", async () => {
    const world = await serving({ wanted: 0, why: "idle" });
    assert.deepEqual(replicas(world), [0]);
    assert.equal(statusOf(world).stable?.modelDigest !== undefined, true);
    assert.deepEqual(
      [conditionOf(world, "Ready").status, conditionOf(world, "Ready").reason],
      ["True", "ScaledToZero"],
    );
    assert.deepEqual(
      [conditionOf(world, "Available").status, conditionOf(world, "ModelLoaded").status],
      ["True", "True"],
    );
    world.put(spec({}, "two"));
    const seen = new Set<number | undefined>();
    for (let pass = 0; pass < 30; pass++) {
      await world.reconcile();
      world.act();
      world.now += 1000;
      const [newest] = world.all(DEPLOYMENTS).slice(-1);
      seen.add(newest?.spec?.replicas);
    }
    await world.settle();
    assert.ok(seen.has(1), "the new revision had no pod");
    assert.deepEqual([replicas(world), statusOf(world).stable?.revision === undefined], [[0], false]);
  });

  it("stays Ready while pods come and go with the load", async () => {
    const world = await serving();
    world.scale = () => scale({ wanted: 4 });
    world.fate = (_revision, index) => ({ ready: index < 2, digest: `sha256:${"a".repeat(64)}` });
    for (let pass = 0; pass < 10; pass++) {
      await world.reconcile();
      world.act();
      world.now += 1000;
      assert.equal(conditionOf(world, "Ready").status, "True", statusOf(world).message);
    }
    assert.match(statusOf(world).message ?? "", /^2 of 4 pods serve/);
  });

  it("says what is missing where there is no room for more, and is not Ready where there is room for none", async () => {
    const shortage = "3 more nvidia.com/gpu needed (0 free on matching nodes)";
    const world = await serving({ shortage, why: "devices" });
    assert.deepEqual(conditionOf(world, "CapacityAvailable"), {
      status: "False",
      reason: "DevicesTaken",
      message: shortage,
    });
    assert.deepEqual([conditionOf(world, "Ready").status, statusOf(world).message?.endsWith(shortage)], ["True", true]);
    world.scale = () => scale({ wanted: 0, shortage, why: "devices" });
    await world.settle();
    assert.deepEqual(
      [conditionOf(world, "Ready").status, conditionOf(world, "Ready").reason],
      ["False", "DevicesTaken"],
    );
  });

  it("says which router is not heard", async () => {
    const world = await serving({ deaf: "router berth-router-x does not report its counts (timeout)", why: "blind" });
    assert.deepEqual(conditionOf(world, "SignalsAvailable"), {
      ...{ status: "False", reason: "RouterMetricsUnavailable" },
      message: "router berth-router-x does not report its counts (timeout); no pod is removed",
    });
  });

  for (const [is, was, decided] of [
    ["RouterMetricsAvailable", "Heard", {}],
    ["RouterMetricsUnavailable", "RouterNotHeard", { deaf: "no router is ready", why: "blind" }],
  ] as const)
    it(`has ${is} in the place of an older operator's ${was}, in the same condition and of the same time`, async () => {
      const world = await serving(decided);
      const { conditions } = statusOf(world);
      assert.equal(conditionOf(world, "SignalsAvailable").reason, is);
      world.renameReasons({ [is]: was });
      assert.equal(conditionOf(world, "SignalsAvailable").reason, was);
      world.now += 60_000;
      world.changeLeader();
      await world.settle();
      assert.deepEqual(statusOf(world).conditions, conditions);
    });

  it("has no Service for clients before the routers follow its table: none comes past those who count", async () => {
    const world = createWorld();
    world.scale = () => scale({});
    const routers = world.routers;
    world.routers = () => [];
    world.put(spec());
    for (let pass = 0; pass < 20; pass++) {
      await world.reconcile();
      world.act();
      world.now += 1000;
    }
    assert.equal(world.get(SERVICES, NAME), undefined);
    assert.equal(conditionOf(world, "Ready").reason, "Routing");
    world.routers = routers;
    await world.settle();
    assert.equal(typeof world.get(SERVICES, NAME)?.spec?.ports?.[0]?.targetPort, "number");
    assert.equal(conditionOf(world, "SignalsAvailable").status, "True");
  });

  it("takes nothing away while clients may still come past the routers, who had a Service before", async () => {
    const world = await serving({}, { scaling: { minReplicas: 2 } });
    let isCounted: boolean | undefined;
    world.scale = (subject) => {
      ({ isCounted } = subject);
      return scale({ wanted: 2 });
    };
    world.put(spec());
    await world.settle();
    assert.deepEqual([isCounted, conditionOf(world, "SignalsAvailable").reason], [false, "Routing"]);
    world.now += 400_000;
    await world.settle();
    assert.deepEqual([isCounted, conditionOf(world, "SignalsAvailable").reason], [true, "RouterMetricsAvailable"]);
  });
});

describe("a ModelDeployment whose number of pods somebody else says", () => {
  const external = (count: number, file = "one"): ModelDeploymentSpec =>
    spec(
      {
        replicas: count,
        scaling: { mode: "external", minReplicas: 1 },
        rollout: { strategy: "canary", steps: [{ weight: "50%" }] },
      },
      file,
    );

  it("has as many as spec.replicas says, and counts them for an HPA", async () => {
    const world = createWorld();
    world.put(external(4));
    await world.settle();
    assert.deepEqual(
      [replicas(world), statusOf(world).scale?.replicas, statusOf(world).scale?.wanted],
      [[4], 4, undefined],
    );
    world.put(external(2));
    await world.settle();
    assert.deepEqual(replicas(world), [2]);
  });

  it("has as many of both revisions together during a rollout", async () => {
    const world = createWorld();
    world.put(external(4));
    await world.settle();
    const old = statusOf(world).stable?.revision;
    world.put(external(4, "two"));
    let most = 0;
    for (let pass = 0; pass < 3000 && statusOf(world).stable?.revision === old; pass++) {
      const { requeueAfterMs = 1000 } = await world.reconcile();
      world.act();
      world.now += Math.min(Math.max(requeueAfterMs, 10), 10_000);
      if (statusOf(world).stable?.revision === old)
        most = Math.max(
          most,
          world.all(DEPLOYMENTS).reduce((sum, one) => sum + (one.spec?.replicas ?? 0), 0),
        );
    }
    assert.equal(most, 4);
    assert.notEqual(statusOf(world).stable?.revision, old);
    await world.settle();
    assert.deepEqual(replicas(world), [4]);
  });
});
