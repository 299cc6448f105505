/** The routers' reconciler against a small API server. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import { createWorld, type World } from "../../../test/simulation/world.ts";
import { API_VERSION, KIND, type ModelDeployment } from "../../api/v1alpha1/index.ts";
import type { Obstacle } from "../../apply/obstacle.ts";
import type { Store } from "../../platform/cache/store.ts";
import { errorFromStatus } from "../../platform/kube/errors.ts";
import type { KubeObject, Resource } from "../../platform/kube/objects.ts";
import {
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
} from "../../platform/kube/resources.ts";
import { routerController } from "./reconcile.ts";

const NAME = "berth-router";
const KEY = { namespace: "default", name: NAME };
const user: ModelDeployment = {
  ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name: "a", namespace: "default", uid: "a" } },
  spec: { model: { uri: "https://models.example.com/a.onnx" }, traffic: { path: "router" } },
};
const context = { log: pino({ level: "silent" }), reconcileID: "test", signal: new AbortController().signal };

const started = () => {
  const world = createWorld();
  const obstacles = new Map<string, readonly Obstacle[]>();
  const events: string[] = [];
  const storeOf = <T extends KubeObject>(resource: Resource<T>): Store<T> => ({
    get: ({ name }) => world.get(resource, name),
    list: () => world.all(resource),
    ownedBy: () => [],
    labelled: () => [],
  });
  const reconcile = routerController({
    client: world.client,
    stores: {
      modelDeployments: { get: () => user, list: () => [user], ownedBy: () => [], labelled: () => [] },
      deployments: storeOf(DEPLOYMENTS),
      serviceAccounts: storeOf(SERVICE_ACCOUNTS),
      roleBindings: storeOf(ROLE_BINDINGS),
      disruptionBudgets: storeOf(POD_DISRUPTION_BUDGETS),
      networkPolicies: storeOf(NETWORK_POLICIES),
    },
    settings: {
      ...{ runtimeImage: "r:1", runtimeImagePullPolicy: "Never", operatorNamespace: "o" },
      ...{ resources: { requests: {}, limits: {} }, role: { kind: "ClusterRole", name: "router" } },
    },
    clock: () => world.now,
    events: { event: (_object, type, reason, _action, note) => events.push(`${type} ${reason}: ${note}`) },
    obstacles,
  });
  return { world, obstacles, events, pass: () => reconcile(KEY, context) };
};

/** As the reconciler of a ModelDeployment of that name has made it. */
const policyOfAnother = (world: World) =>
  world.client.create(
    NETWORK_POLICIES,
    {
      ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" },
      metadata: {
        ...{ name: NAME, namespace: "default", labels: { "app.kubernetes.io/managed-by": "berth" } },
        ownerReferences: [{ apiVersion: API_VERSION, kind: KIND, name: NAME, uid: "x", controller: true }],
      },
    },
    { fieldManager: "berth" },
  );

describe("the reconciler of routers", () => {
  it("makes all parts, the account first, and then rests", async () => {
    const { pass, world } = started();
    await pass();
    assert.equal(world.get(DEPLOYMENTS, NAME), undefined);
    await pass();
    assert.equal(world.objects.size, 5);
    world.writes.length = 0;
    assert.deepEqual(await pass(), {});
    assert.deepEqual(world.writes, []);
  });

  it("does not fight for a name: what is another's is told, and looked at again", async () => {
    const { events, obstacles, pass, world } = started();
    await policyOfAnother(world);
    world.writes.length = 0;
    for (let index = 0; index < 40; index += 1) assert.equal((await pass()).requeueAfterMs, 30_000);
    assert.deepEqual(
      world.writes.filter((write) => write.includes("NetworkPolicy")),
      [],
    );
    assert.deepEqual(obstacles.get("default"), [{ kind: "stranger", objects: [`NetworkPolicy ${NAME}`] }]);
    assert.equal(events.length, 1);
    assert.match(events[0] ?? "", /^Warning NotOwned: .*NetworkPolicy berth-router/);
    world.erase(NETWORK_POLICIES, NAME);
    assert.deepEqual(await pass(), {});
    assert.equal(obstacles.size, 0);
    assert.notEqual(world.get(NETWORK_POLICIES, NAME), undefined);
  });

  it("gives no role to another's account, and runs nothing under it", async () => {
    const { obstacles, pass, world } = started();
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: NAME, namespace: "default" } };
    await world.client.create(SERVICE_ACCOUNTS, account, { fieldManager: "kubectl" });
    for (let index = 0; index < 3; index += 1) await pass();
    assert.deepEqual(obstacles.get("default"), [{ kind: "stranger", objects: [`ServiceAccount ${NAME}`] }]);
    assert.equal(world.get(DEPLOYMENTS, NAME), undefined);
    assert.equal(world.get(ROLE_BINDINGS, NAME), undefined);
  });

  it("makes the rest where one part is refused, or fails", async () => {
    const { obstacles, pass, world } = started();
    const webhook = 'Internal error occurred: failed calling webhook "w": refused';
    const answers = [webhook, "etcdserver: leader changed"];
    world.refuses = (write) => (write.includes("RoleBinding") ? new Error("not yet") : undefined);
    await pass();
    for (const message of answers) {
      world.refuses = (write) =>
        write.includes("RoleBinding") ? errorFromStatus("create", 500, { message }) : undefined;
      // what is refused is tried again a second later
      world.now += 1_000;
      if (message === webhook) assert.equal((await pass()).requeueAfterMs, 1_000);
      else await assert.rejects(pass(), /leader changed/);
      for (const resource of [DEPLOYMENTS, NETWORK_POLICIES, POD_DISRUPTION_BUDGETS, SERVICE_ACCOUNTS])
        assert.equal(world.objects.has(`${resource.kind}/${NAME}`), true);
      assert.equal(obstacles.get("default")?.[0]?.kind, message === webhook ? "refused" : undefined);
    }
  });

  it("binds its routers anew when the role has another name", async () => {
    const { pass, world } = started();
    await pass();
    await pass();
    const binding = world.get(ROLE_BINDINGS, NAME);
    assert.ok(binding);
    world.objects.set(`RoleBinding/${NAME}`, { ...binding, roleRef: { ...binding.roleRef, name: "before" } });
    await pass();
    assert.equal(world.get(ROLE_BINDINGS, NAME), undefined);
    await pass();
    assert.equal(world.get(ROLE_BINDINGS, NAME)?.roleRef.name, "router");
  });

  it("slows down against something that undoes what it writes", async () => {
    const { pass, world } = started();
    await pass();
    world.writes.length = 0;
    for (const end = world.now + 3_600_000; world.now < end; world.now += 1_000) {
      const policy = world.get(NETWORK_POLICIES, NAME);
      if (policy !== undefined)
        world.objects.set(`NetworkPolicy/${NAME}`, { ...policy, spec: { podSelector: {}, ingress: [{}] } });
      await pass();
    }
    const writes = world.writes.filter((write) => write.includes("NetworkPolicy")).length;
    assert.ok(writes > 5 && writes <= 30, `${writes}`);
  });
});
