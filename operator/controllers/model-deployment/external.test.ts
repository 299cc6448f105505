import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createWorld, NAME, type World } from "../../../test/simulation/world.ts";
import { MODEL_DEPLOYMENTS, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { DEPLOYMENTS } from "../../platform/kube/resources.ts";
import { externalOf, externalStatus } from "./external.ts";

type Owner = { manager: string; operation: "Apply" | "Update"; subresource?: string };

const model = { uri: "https://models.example.com/one.onnx" };
const external = { mode: "external", minReplicas: 1 } as const;
const flux: Owner = { manager: "flux", operation: "Apply" };
const created: Owner = { manager: "kubectl-create", operation: "Update" };
const applied: Owner = { manager: "kubectl-client-side-apply", operation: "Update" };
const scaler: Owner = { manager: "kubectl", operation: "Update", subresource: "scale" };
const autoscaler: Owner = { ...scaler, manager: "kube-controller-manager" };

/** What the API server has after a write: the default where there is no number, and who owns it. */
const write = async (
  world: World,
  { replicas = 1, ...spec }: Partial<ModelDeploymentSpec>,
  owners: Owner[] = [],
  annotations: Record<string, string> = {},
): Promise<void> => {
  world.put({ model, replicas, ...spec });
  const { status, ...object } = world.deployment();
  const metadata = { ...object.metadata, annotations, managedFields: owners };
  world.objects.set(`ModelDeployment/${NAME}`, { ...object, ...(status ? { status } : {}), metadata });
  await world.settle();
};
const pods = (world: World) => world.all(DEPLOYMENTS).map(({ spec }) => spec?.replicas);
const scaleOf = (world: World) => world.deployment().status?.scale;
const eight = { scaling: { minReplicas: 8 } };

describe("spec.replicas with scaling.mode external", () => {
  for (const [who, owners] of [
    ["server-side apply, which does not own the default", []],
    ["kubectl create, which owns the default", [created]],
    ["kubectl apply, which owns the default", [applied]],
  ] as const) {
    it(`begins with the pods that there are, without a number: ${who}`, async () => {
      const world = createWorld();
      await write(world, eight, [...owners]);
      await write(world, { scaling: external }, [...owners]);
      assert.deepEqual([pods(world), scaleOf(world)?.external], [[8], { replicas: 8, from: "pods" }]);
      await write(world, { scaling: external, replicas: 5 }, [...owners, scaler]);
      assert.deepEqual([pods(world), scaleOf(world)?.external], [[5], { replicas: 5, from: "spec" }]);
      await write(world, { scaling: external, replicas: 1 }, [...owners, scaler]);
      assert.deepEqual(pods(world), [1]);
    });
  }

  it("a new one has one pod", async () => {
    const world = createWorld();
    await write(world, { scaling: external });
    assert.deepEqual(pods(world), [1]);
  });

  it("has one pod where one is applied, and where the number is scaled to one", async () => {
    const world = createWorld();
    await write(world, eight);
    await write(world, { scaling: external, replicas: 1 }, [flux]);
    assert.deepEqual([pods(world), scaleOf(world)?.external?.from], [[1], "spec"]);
    const byClient = createWorld();
    await write(byClient, eight, [applied]);
    const annotation = JSON.stringify({ spec: { model, replicas: 1, scaling: external } });
    await write(byClient, { scaling: external, replicas: 1 }, [applied], {
      "kubectl.kubernetes.io/last-applied-configuration": annotation,
    });
    assert.deepEqual(pods(byClient), [1]);
    const scaled = createWorld();
    await write(scaled, eight);
    await write(scaled, { scaling: external });
    await write(scaled, { scaling: external, replicas: 1 }, [scaler]);
    assert.deepEqual(pods(scaled), [1]);
  });

  it("keeps the pods when the number leaves the manifest again", async () => {
    for (const owners of [[], [applied]]) {
      const world = createWorld();
      await write(world, { scaling: external, replicas: 4 }, [flux]);
      await write(world, { scaling: external, replicas: 1 }, owners);
      assert.deepEqual([pods(world), scaleOf(world)?.external], [[4], { replicas: 4, from: "pods" }]);
    }
  });

  it("has what an edit sets, after a number that counted", async () => {
    const world = createWorld();
    await write(world, { scaling: external, replicas: 3 }, [created]);
    assert.deepEqual(pods(world), [3]);
    await write(world, { scaling: external, replicas: 1 }, [created]);
    assert.deepEqual(pods(world), [1]);
  });

  it("ignores a number left behind, tells of it once, and does not take it up again by itself", async () => {
    const world = createWorld();
    await write(world, { scaling: external, replicas: 2 }, [scaler]);
    await write(world, { ...eight, replicas: 2 }, [scaler]);
    assert.deepEqual([pods(world), scaleOf(world)?.ignored], [[8], 2]);
    assert.match(scaleOf(world)?.message ?? "", /^spec\.replicas has no effect/);
    await world.settle();
    assert.equal(world.events.filter((event) => event === "Normal ReplicasIgnored").length, 1);
    await write(world, { scaling: external, replicas: 2 }, [scaler]);
    assert.deepEqual([pods(world), scaleOf(world)?.external?.from], [[8], "pods"]);
    await write(world, { scaling: external, replicas: 3 }, [scaler]);
    assert.deepEqual(pods(world), [3]);
  });

  it("takes no pod away for an HPA that begins at its least number, until it has had its time", async () => {
    const world = createWorld();
    await write(world, eight);
    await write(world, { scaling: external });
    world.settle = async () => {
      await world.reconcile();
      world.act();
      await world.reconcile();
    };
    await write(world, { scaling: external, replicas: 2 }, [autoscaler]);
    assert.deepEqual([pods(world), scaleOf(world)?.external?.from], [[8], "pods"]);
    const { until = "" } = scaleOf(world)?.external ?? {};
    world.now += 15_000;
    await write(world, { scaling: external, replicas: 6 }, [autoscaler]);
    assert.deepEqual([pods(world), scaleOf(world)?.external?.until], [[8], until]);
    world.now = Date.parse(until) - 1000;
    const { requeueAfterMs = Number.POSITIVE_INFINITY } = await world.reconcile();
    assert.ok(requeueAfterMs <= 1000, `${requeueAfterMs}`);
    assert.deepEqual(pods(world), [8]);
    world.now = Date.parse(until);
    await world.settle();
    assert.deepEqual([pods(world), scaleOf(world)?.external], [[6], { replicas: 6, from: "spec" }]);
    await write(world, { scaling: external, replicas: 3 }, [autoscaler]);
    assert.deepEqual(pods(world), [3]);
  });

  it("follows an HPA that asks for more at once, and a person who scales", async () => {
    const world = createWorld();
    await write(world, eight);
    await write(world, { scaling: external });
    await write(world, { scaling: external, replicas: 9 }, [autoscaler]);
    assert.deepEqual(pods(world), [9]);
    await write(world, { scaling: external, replicas: 2 }, [autoscaler]);
    assert.deepEqual(pods(world), [2]);
  });

  it("begins with one where the ModelDeployment sleeps, since nothing would wake it", async () => {
    const world = createWorld();
    world.scale = () => ({
      wanted: 0,
      canary: undefined,
      why: "idle",
      words: "",
      learnt: undefined,
      shortage: undefined,
      deaf: undefined,
    });
    await write(world, { scaling: { minReplicas: 0 }, traffic: { path: "router" } });
    assert.deepEqual(pods(world), [0]);
    await write(world, { scaling: external, traffic: { path: "router" } });
    assert.deepEqual(pods(world), [1]);
  });

  it("stays as it is when the status is lost", async () => {
    const world = createWorld();
    await write(world, eight);
    await write(world, { scaling: external });
    world.loseStatus();
    await world.settle();
    assert.deepEqual(pods(world), [8]);
  });

  it("without anybody who owns a number, no handover takes a pod away", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.option(fc.integer({ min: 1, max: 1000 })), (there, wanted) => {
        const modelDeployment = {
          apiVersion: "berth.dev/v1alpha1",
          kind: MODEL_DEPLOYMENTS.kind,
          metadata: { name: NAME },
          spec: { model, replicas: 1, scaling: external },
          status: {
            observedGeneration: 1,
            scale: { replicas: there, selector: "", ...(wanted === null ? {} : { wanted }) },
          },
        };
        const deployments = [
          {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: { name: "a" },
            spec: { replicas: there, selector: {}, template: {} },
          },
        ];
        const decided = externalOf(modelDeployment, deployments, 0);
        assert.equal(decided?.replicas, wanted ?? there);
        const { external: told } = externalStatus(modelDeployment, decided);
        assert.deepEqual(told, { replicas: wanted ?? there, from: "pods" });
      }),
    );
  });
});
