import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createWorld, Killed, NAME, type World } from "../../../test/simulation/world.ts";
import { FETCH_CONTAINER, findCondition, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { KubeError } from "../../platform/kube/errors.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  SERVICES,
} from "../../platform/kube/resources.ts";

const spec = (file: string, minReplicas = 1): ModelDeploymentSpec => ({
  model: { uri: `https://models.example.com/${file}.onnx` },
  scaling: { minReplicas },
});

const statusOf = (world: World) => {
  const { status } = world.deployment();
  if (status === undefined) throw new Error("no status");
  return status;
};
const ready = (world: World) => findCondition(statusOf(world).conditions, "Ready")?.status;
const stalled = (world: World) => findCondition(statusOf(world).conditions, "Stalled")?.reason;
const stable = (world: World) => statusOf(world).stable?.revision ?? "";
const selected = (world: World) => world.get(SERVICES, NAME)?.spec?.selector?.["berth.dev/revision"];

const serving = async (minReplicas = 1): Promise<World> => {
  const world = createWorld();
  world.put(spec("one", minReplicas));
  await world.settle();
  return world;
};

describe("the life of a ModelDeployment", () => {
  it("takes no pod for its own that has nothing but its labels", async () => {
    const world = createWorld();
    world.fate = () => ({ ready: false });
    world.put(spec("one"));
    await world.settle();
    const [pod] = world.all(PODS);
    assert.ok(pod);
    const name = "poser";
    const message = JSON.stringify({ outcome: "fetched", digest: `sha256:${"b".repeat(64)}`, bytes: 1 });
    const { ownerReferences: _, ...metadata } = pod.metadata;
    world.objects.set(`Pod/${name}`, {
      ...pod,
      metadata: { ...metadata, name, uid: name },
      status: {
        conditions: [{ type: "Ready", status: "True" }],
        initContainerStatuses: [
          { name: FETCH_CONTAINER, ready: true, state: { terminated: { exitCode: 0, message } } },
        ],
      },
    });
    await world.reconcile();
    assert.equal(statusOf(world).stable, undefined);
    assert.deepEqual(world.all(CONFIG_MAPS), []);
  });

  it("is created: all children, ready, pinned, and then no more writes", async () => {
    const world = await serving(2);
    const revision = stable(world);
    assert.equal(ready(world), "True");
    assert.equal(statusOf(world).phase, "Healthy");
    assert.equal(statusOf(world).pods, "2/2");
    assert.equal(statusOf(world).stable?.modelDigest, `sha256:${"a".repeat(64)}`);
    assert.equal(selected(world), revision);
    assert.deepEqual(world.get(CONTROLLER_REVISIONS, revision)?.metadata.annotations, { "berth.dev/promoted": "1" });
    assert.deepEqual(world.events, ["Normal Promoted"]);
    const writes = world.writes.length;
    await world.reconcile();
    assert.equal(world.writes.length, writes);
  });

  it("is updated: the old revision serves until the new one is ready, and a while longer", async () => {
    const world = await serving();
    const old = stable(world);
    world.fate = (revision) => ({ ready: revision === old });
    world.put(spec("two"));
    await world.settle();
    assert.equal(stable(world), old);
    assert.equal(selected(world), old);
    assert.equal(ready(world), "Unknown");
    assert.match(statusOf(world).message ?? "", /0 of 1 pods of digits-.* are ready; digits-.* still serves/);

    world.fate = () => ({ ready: true });
    const until = world.writes.length;
    await world.settle();
    const writes = world.writes.slice(until);
    assert.notEqual(stable(world), old);
    assert.equal(selected(world), stable(world));
    assert.equal(world.get(DEPLOYMENTS, old), undefined);
    assert.equal(world.get(SERVICES, old), undefined);
    assert.ok(world.get(CONTROLLER_REVISIONS, old));
    const order = ["apply Service/digits as berth", `delete Deployment/${old}`];
    assert.deepEqual(
      writes.filter((write) => order.includes(write)),
      order,
    );
    assert.equal(ready(world), "True");
  });

  it("keeps three superseded revisions", async () => {
    const world = await serving();
    const first = stable(world);
    for (const file of ["two", "three", "four", "five"]) {
      world.put(spec(file));
      await world.settle();
    }
    assert.equal(world.all(CONTROLLER_REVISIONS).length, 4);
    assert.equal(world.get(CONTROLLER_REVISIONS, first), undefined);
    assert.equal(world.get(CONFIG_MAPS, first), undefined);
    assert.equal(world.all(DEPLOYMENTS).length, 1);
  });

  it("goes back: the stable spec again drops the candidate and its error", async () => {
    const world = await serving();
    const old = stable(world);
    world.fate = (revision) => ({ ready: revision === old });
    world.put(spec("bad"));
    await world.settle();
    assert.ok(statusOf(world).canary);
    world.put(spec("one"));
    await world.settle();
    assert.equal(statusOf(world).canary, undefined);
    assert.equal(world.all(DEPLOYMENTS).length, 1);
    assert.equal(ready(world), "True");
  });

  it("goes back to a superseded revision: its template is taken as it was, whatever the image now", async () => {
    const world = await serving();
    const old = stable(world);
    world.put(spec("two"));
    await world.settle();
    world.settings = { ...world.settings, runtimeImage: "berth-runtime:2" };
    world.put(spec("one"));
    await world.settle();
    assert.equal(stable(world), old);
    const image = world.get(DEPLOYMENTS, old)?.spec?.template.spec?.containers[0]?.image;
    assert.equal(image, "berth-runtime:1");
    assert.deepEqual(world.get(CONTROLLER_REVISIONS, old)?.metadata.annotations, { "berth.dev/promoted": "3" });
  });

  it("replaces a candidate that is not ready by a newer one", async () => {
    const world = await serving();
    const old = stable(world);
    world.fate = (revision) => ({ ready: revision === old });
    world.put(spec("two"));
    await world.settle();
    const dropped = statusOf(world).canary?.revision ?? "";
    world.fate = (revision) => ({ ready: revision !== dropped });
    world.put(spec("three"));
    await world.settle();
    assert.equal(world.get(DEPLOYMENTS, dropped), undefined);
    assert.equal(world.all(DEPLOYMENTS).length, 1);
    assert.equal(ready(world), "True");
  });

  it("starts over when the first revision never was ready, after its pods are gone", async () => {
    const world = createWorld();
    world.fate = () => ({ ready: false });
    world.put(spec("one"));
    await world.settle();
    const first = statusOf(world).canary?.revision ?? "";
    assert.equal(selected(world), first);
    world.put(spec("two"));
    world.fate = () => ({ ready: true });
    const until = world.writes.length;
    await world.settle();
    const writes = world.writes.slice(until);
    const created = writes.findIndex((write) => write.startsWith("create Deployment"));
    assert.ok(writes.indexOf(`delete Deployment/${first}`) < created);
    assert.equal(ready(world), "True");
  });

  it("starts over though a pod of the first revision stays behind on a dead node", async () => {
    const world = createWorld();
    world.fate = () => ({ ready: false });
    world.put(spec("one"));
    await world.settle();
    const first = statusOf(world).canary?.revision ?? "";
    world.put(spec("two"));
    const pass = async (count: number) => {
      for (let passes = 0; passes < count; passes += 1) await world.reconcile();
    };
    await pass(4);
    assert.equal(world.get(DEPLOYMENTS, first), undefined);
    const [pod] = world.all(PODS);
    // its grace period of a minute has begun
    if (pod !== undefined) pod.metadata.deletionTimestamp = new Date(world.now + 60_000).toISOString();
    world.now += 100_000;
    await pass(3);
    assert.deepEqual(world.all(DEPLOYMENTS), []);
    world.now += 30_000;
    await pass(3);
    assert.deepEqual(
      world.all(DEPLOYMENTS).map(({ metadata }) => metadata.name),
      [statusOf(world).canary?.revision],
    );
  });

  it("made anew, it takes no pod of its predecessor for its own, which the garbage collector takes last", async () => {
    const world = await serving(2);
    const revision = stable(world);
    const uid = world.deployment().metadata.uid ?? "";
    const left = () => world.all(PODS).filter(({ metadata }) => metadata.labels?.["berth.dev/revision"] === revision);
    for (const [key, { kind, metadata }] of world.objects) {
      if (kind === "ModelDeployment" || metadata.ownerReferences?.some((owner) => owner.uid === uid))
        world.objects.delete(key);
    }
    world.fate = () => ({ ready: true, digest: `sha256:${"b".repeat(64)}` });
    world.put(spec("one", 2));
    for (let pass = 0; pass < 6; pass += 1) await world.reconcile();
    assert.equal(left().length, 2);
    assert.deepEqual(world.all(CONFIG_MAPS), [], "nothing is pinned");
    const { canary, pods } = statusOf(world);
    assert.notEqual(canary?.revision, revision);
    assert.deepEqual([canary?.modelDigest, pods], [undefined, "0/2"]);
    await world.settle();
    assert.equal(statusOf(world).stable?.modelDigest, `sha256:${"b".repeat(64)}`);
    assert.deepEqual([ready(world), left()], ["True", []]);
  });

  it("a ControllerRevision that somebody deletes comes back by its name, and no pod is replaced", async () => {
    const world = await serving();
    const revision = stable(world);
    const [pod] = world.all(PODS);
    world.erase(CONTROLLER_REVISIONS, revision);
    await world.settle();
    assert.deepEqual([stable(world), world.all(PODS)[0]?.metadata.uid], [revision, pod?.metadata.uid]);
    assert.ok(world.get(CONTROLLER_REVISIONS, revision));
  });

  it("scales without a new revision", async () => {
    const world = await serving(1);
    const revision = stable(world);
    world.put(spec("one", 3));
    await world.settle();
    assert.equal(stable(world), revision);
    assert.equal(world.all(PODS).length, 3);
    assert.equal(statusOf(world).pods, "3/3");
    assert.ok(world.writes.includes(`apply Deployment/${revision} as berth-scaling`));
  });

  it("does not restart pods when the operator's image changes", async () => {
    const world = await serving();
    world.settings = { ...world.settings, runtimeImage: "berth-runtime:2" };
    const writes = world.writes.length;
    await world.settle();
    assert.equal(world.writes.length, writes);
  });

  it("goes on serving what another version of the operator allowed, and follows the next spec", async () => {
    const world = await serving();
    const old = stable(world);
    // Stored by a later version, which then was replaced by this one.
    const later: ModelDeploymentSpec = spec("one");
    Object.assign(later, { accelerator: { vendor: "of tomorrow" } });
    Object.assign(world.get(CONTROLLER_REVISIONS, old)?.data ?? {}, { spec: later });
    world.put(later);
    await world.settle();
    assert.deepEqual([stable(world), stalled(world)], [old, "InvalidSpec"]);
    assert.deepEqual([selected(world), world.all(PODS).length], [old, 1]);
    world.put(spec("one"));
    await world.settle();
    assert.notEqual(stable(world), old);
    assert.equal(ready(world), "True");
  });

  it("goes on serving beside a request of cores above its limit, which the API server cannot see", async () => {
    const world = await serving();
    const old = stable(world);
    world.put({ ...spec("one"), resources: { requests: { cpu: 0.5 }, limits: { cpu: "400m" } } });
    await world.settle();
    assert.deepEqual([stable(world), stalled(world), world.all(PODS).length], [old, "InvalidSpec", 1]);
    assert.match(world.deployment().status?.message ?? "", /^spec\.resources\.requests\.cpu: must not be above/);
  });

  it("goes on serving beside a capacity that the strategy has no use for, where an older CRD lets it through", async () => {
    for (const [strategy, capacity] of [
      ["blueGreen", "handover"],
      ["shadow", "handover"],
      ["shadow", "swap"],
    ] as const) {
      const world = await serving();
      const old = stable(world);
      const scaling = { minReplicas: 2 };
      world.put({ ...spec("two"), scaling, rollout: { strategy, capacity } });
      await world.settle();
      assert.deepEqual([stable(world), stalled(world), world.all(PODS).length], [old, "InvalidSpec", 2]);
      assert.match(
        world.deployment().status?.message ?? "",
        /^spec\.rollout\.capacity: handover needs strategy canary/,
      );
      world.put({ ...spec("two"), scaling, rollout: { strategy, capacity: "auto" } });
      await world.settle();
      assert.equal(stalled(world), undefined);
    }
  });

  it("undoes edits by hand", async () => {
    const world = await serving();
    const deployment = world.get(DEPLOYMENTS, stable(world));
    const service = world.get(SERVICES, NAME);
    assert.ok(deployment?.spec && service?.spec);
    const container = deployment.spec.template.spec?.containers[0];
    if (container !== undefined) container.image = "evil";
    deployment.spec.replicas = 7;
    service.spec.selector = { ...service.spec.selector, also: "this" };
    await world.settle();
    const restored = world.get(DEPLOYMENTS, stable(world))?.spec;
    assert.equal(restored?.template.spec?.containers[0]?.image, "berth-runtime:1");
    assert.equal(restored?.replicas, 1);
    assert.ok(world.writes.at(-1));
  });

  const editor = {
    manager: "kubectl-edit",
    operation: "Update",
    fieldsV1: { "f:spec": { "f:template": { ".": {} } } },
  };

  it("writes once where somebody else has set what is there already, however often it is scaled after that", async () => {
    const world = await serving();
    const deployment = () => world.get(DEPLOYMENTS, stable(world)) ?? assert.fail();
    deployment().metadata.managedFields = [editor];
    const patches = () => world.writes.filter((write) => write === `patch Deployment/${stable(world)}`).length;
    for (const replicas of [2, 3, 1]) {
      world.put({ ...world.deployment().spec, scaling: { minReplicas: replicas } });
      await world.settle();
      assert.equal(deployment().spec?.replicas, replicas);
      world.now += 3_600_000;
      world.changeLeader();
    }
    assert.equal(patches(), 1);
  });

  it("takes out of a pod template what somebody added", async () => {
    const world = await serving();
    const deployment = () => world.get(DEPLOYMENTS, stable(world)) ?? assert.fail();
    const add = () => {
      const { template } = deployment().spec ?? assert.fail();
      template.metadata = { ...template.metadata, annotations: { "kubectl.kubernetes.io/restartedAt": "now" } };
      template.spec?.containers.push({ name: "sidecar", image: "evil" });
      if (template.spec) template.spec.hostNetwork = true;
      deployment().metadata.managedFields = [editor];
    };
    const before = structuredClone(deployment().spec?.template);
    add();
    await world.settle();
    assert.deepEqual(deployment().spec?.template, before);
    assert.deepEqual(deployment().metadata.managedFields, []);
    const writes = world.writes.length;
    await world.reconcile();
    assert.deepEqual(world.writes.slice(writes), []);
  });

  it("leaves a stranger's object alone, says so, and goes on when it is gone", async () => {
    const world = createWorld();
    const stranger = { apiVersion: "v1", kind: "Service", metadata: { name: NAME, namespace: "default" }, spec: {} };
    await world.client.create(SERVICES, stranger, { fieldManager: "somebody" });
    world.put(spec("one"));
    await world.settle();
    assert.equal(stalled(world), "NotOwned");
    assert.match(statusOf(world).message ?? "", /^Service digits exists and belongs to something else/);
    assert.deepEqual(world.get(SERVICES, NAME)?.spec, {});
    world.objects.delete(`Service/${NAME}`);
    await world.settle();
    assert.equal(ready(world), "True");
  });

  it("says that a write is refused, carries the others out, and goes on when it is taken", async () => {
    const world = createWorld();
    const quota = 'create Service default/digits: services "digits" is forbidden: exceeded quota: services';
    world.refuses = (write) =>
      write.startsWith("create Service")
        ? new KubeError(quota, { kind: "retryable", reason: "Forbidden", status: 403 })
        : undefined;
    world.put(spec("one"));
    await world.settle();
    assert.equal(findCondition(statusOf(world).conditions, "Ready")?.reason, "QuotaExceeded");
    assert.match(statusOf(world).message ?? "", /exceeded quota: services/);
    assert.equal(stalled(world), undefined);
    assert.equal(world.get(SERVICES, NAME), undefined);
    assert.equal(world.all(NETWORK_POLICIES).length, 1);

    world.refuses = () => undefined;
    world.now += 30_000;
    await world.settle();
    assert.equal(ready(world), "True");
  });

  it("waits for the children of a deleted namesake, and calls them no strangers", async () => {
    const world = createWorld();
    const owner = {
      apiVersion: "berth.dev/v1alpha1",
      kind: "ModelDeployment",
      name: NAME,
      uid: "old",
      controller: true,
    };
    const left = { name: NAME, namespace: "default", ownerReferences: [owner] };
    await world.client.create(
      SERVICES,
      { apiVersion: "v1", kind: "Service", metadata: left },
      { fieldManager: "berth" },
    );
    world.put(spec("one"));
    for (let pass = 0; pass < 6; pass += 1) await world.reconcile();
    assert.equal(stalled(world), undefined);
    assert.match(statusOf(world).message ?? "", /Service digits of a deleted ModelDeployment/);
    await world.client.delete(SERVICES, { namespace: "default", name: NAME });
    await world.settle();
    assert.equal(ready(world), "True");
  });

  it("renders a revision anew that never served, when the operator's image was wrong", async () => {
    const world = createWorld();
    world.settings = { ...world.settings, runtimeImage: "nobody-has-this:1" };
    world.fate = () => ({ ready: false });
    world.put(spec("one"));
    await world.settle();
    const first = statusOf(world).canary?.revision;
    world.settings = { ...world.settings, runtimeImage: "berth-runtime:1" };
    world.fate = (revision) => ({ ready: revision !== first });
    await world.settle();
    assert.equal(ready(world), "True");
    assert.notEqual(stable(world), first);
    assert.equal(world.get(DEPLOYMENTS, stable(world))?.spec?.template.spec?.containers[0]?.image, "berth-runtime:1");
  });

  it("finds stable again when the status was lost", async () => {
    const world = await serving();
    world.put(spec("two"));
    await world.settle();
    const revision = stable(world);
    const { status: _, ...bare } = world.deployment();
    world.objects.set(`ModelDeployment/${NAME}`, bare);
    await world.reconcile();
    assert.equal(stable(world), revision);
  });

  it("refuses http:// where it is not allowed, and makes nothing", async () => {
    const world = createWorld();
    world.settings = { ...world.settings, allowHttpModels: false };
    world.put({ model: { uri: "http://models.example.com/a.onnx" } });
    await world.settle();
    assert.equal(stalled(world), "HttpNotAllowed");
    assert.equal(world.objects.size, 1);
  });

  it("deletes pods that fetched other bytes than the first that was ready", async () => {
    const world = createWorld();
    const digests = ["a", "b"].map((letter) => `sha256:${letter.repeat(64)}`);
    let replaced = false;
    world.fate = (_, pod) => ({ ready: true, digest: (pod === 1 && !replaced ? digests[1] : digests[0]) ?? "" });
    const remove = world.client.delete;
    world.client.delete = async (...call) => {
      replaced = true;
      await remove(...call);
    };
    world.put(spec("one", 2));
    await world.settle();
    assert.equal(statusOf(world).stable?.modelDigest, digests[0]);
    assert.deepEqual(
      world.writes.filter((write) => write.startsWith("delete")),
      [`delete Pod/${stable(world)}-1`],
    );
  });
});

describe("the protection of pods", () => {
  const budgets = (world: World) => world.all(POD_DISRUPTION_BUDGETS).map(({ metadata }) => metadata.name);

  it("one replica has no disruption budget, two have one, and it comes and goes with the second", async () => {
    const world = await serving(1);
    assert.deepEqual(budgets(world), []);
    world.put(spec("one", 2));
    await world.settle();
    const budget = world.get(POD_DISRUPTION_BUDGETS, stable(world));
    const labels = world.get(DEPLOYMENTS, stable(world))?.spec?.selector;
    assert.deepEqual(budget?.spec, { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow", selector: labels });
    assert.equal(budget?.metadata.ownerReferences?.[0]?.uid, world.deployment().metadata.uid);
    world.put(spec("one", 1));
    await world.settle();
    assert.deepEqual(budgets(world), []);
  });

  it("each revision has a budget of its own, which goes with its pods", async () => {
    const world = await serving(2);
    const old = stable(world);
    world.fate = (revision) => ({ ready: revision === old });
    world.put(spec("two", 2));
    await world.settle();
    assert.deepEqual(budgets(world).toSorted(), [old, statusOf(world).canary?.revision].toSorted());
    world.fate = () => ({ ready: true });
    await world.settle();
    assert.notEqual(stable(world), old);
    assert.deepEqual(budgets(world), [stable(world)]);
  });

  it("a budget that was edited is restored; one with the other bound, which excludes ours, is made anew", async () => {
    const world = await serving(2);
    const edit = (fields: { maxUnavailable?: number; minAvailable?: number }) => {
      const budget = world.get(POD_DISRUPTION_BUDGETS, stable(world));
      assert.ok(budget?.spec);
      delete budget.spec.maxUnavailable;
      Object.assign(budget.spec, fields);
    };
    const bounds = () => {
      const { maxUnavailable, minAvailable } = world.get(POD_DISRUPTION_BUDGETS, stable(world))?.spec ?? {};
      return [maxUnavailable, minAvailable];
    };
    edit({ maxUnavailable: 2 });
    await world.settle();
    assert.deepEqual(bounds(), [1, undefined]);
    edit({ minAvailable: 2 });
    await world.settle();
    assert.deepEqual(bounds(), [1, undefined]);
    assert.ok(world.writes.includes(`delete PodDisruptionBudget/${stable(world)}`));
  });

  it("the network policy lets everybody to the data ports, and few to the admin port, whatever is added by hand", async () => {
    const world = await serving();
    const policy = world.get(NETWORK_POLICIES, NAME);
    assert.ok(policy?.spec?.ingress);
    const intended = structuredClone(policy.spec);
    assert.deepEqual(intended.podSelector?.matchLabels, {
      "app.kubernetes.io/managed-by": "berth",
      "berth.dev/model-deployment": NAME,
    });
    Object.assign(policy.spec.ingress[0]?.ports?.[0] ?? {}, { endPort: 65535 });
    await world.settle();
    assert.deepEqual(world.get(NETWORK_POLICIES, NAME)?.spec, intended);
    world.objects.delete(`NetworkPolicy/${NAME}`);
    await world.settle();
    assert.deepEqual(world.get(NETWORK_POLICIES, NAME)?.spec, intended);
  });

  it("somebody else's policy of that name is left alone, and named", async () => {
    const world = createWorld();
    const metadata = { name: NAME, namespace: "default" };
    const stranger = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec: { podSelector: {} } };
    await world.client.create(NETWORK_POLICIES, stranger, { fieldManager: "somebody" });
    world.put(spec("one"));
    await world.settle();
    assert.equal(stalled(world), "NotOwned");
    assert.match(statusOf(world).message ?? "", /^NetworkPolicy digits exists/);
    assert.deepEqual(world.get(NETWORK_POLICIES, NAME)?.spec, { podSelector: {} });
  });
});

describe("scheduling", () => {
  const TEN_MINUTES = 600_000;
  const queued: ModelDeploymentSpec = { ...spec("one"), scheduling: { queueName: "team-a" } };

  it("a queue is a label of the Deployment and of its pods, and selects nothing", async () => {
    const world = createWorld();
    world.put(queued);
    await world.settle();
    const label = (object: { metadata?: { labels?: Record<string, string> } } | undefined) =>
      object?.metadata?.labels?.["kueue.x-k8s.io/queue-name"];
    const deployment = world.get(DEPLOYMENTS, stable(world));
    assert.equal(label(deployment), "team-a");
    assert.equal(label(deployment?.spec?.template), "team-a");
    const selectors = [deployment?.spec?.selector.matchLabels, world.get(SERVICES, NAME)?.spec?.selector];
    for (const selector of selectors) assert.equal(selector?.["kueue.x-k8s.io/queue-name"], undefined);
    const writes = world.writes.length;
    await world.reconcile();
    assert.equal(world.writes.length, writes);
  });

  it("waiting in a queue has no deadline; the time begins when the last pod has left it", async () => {
    const world = createWorld();
    world.fate = () => ({ ready: false, gate: "kueue.x-k8s.io/admission" });
    world.put(queued);
    await world.settle();
    const reason = () => findCondition(statusOf(world).conditions, "Ready")?.reason;
    assert.equal(reason(), "SchedulingGated");
    assert.match(statusOf(world).message ?? "", /^1 of 1 pods wait in queue team-a until Kueue admits them/);
    world.now += 2 * TEN_MINUTES;
    await world.settle();
    assert.equal(reason(), "SchedulingGated");
    assert.equal(stalled(world), undefined);

    world.fate = () => ({ ready: false });
    await world.settle();
    assert.equal(stalled(world), undefined);
    world.now += TEN_MINUTES;
    await world.settle();
    assert.equal(stalled(world), "ProgressDeadlineExceeded");
  });

  it("a move to other nodes is a new revision; a word more or less for the same is none", async () => {
    const world = await serving();
    const first = stable(world);
    world.put({ ...spec("one"), scheduling: { nodeSelector: {}, tolerations: [] } });
    await world.settle();
    assert.equal(stable(world), first);
    world.put({ ...spec("one"), scheduling: { nodeSelector: { pool: "a" } } });
    await world.settle();
    assert.notEqual(stable(world), first);
    assert.deepEqual(world.get(DEPLOYMENTS, stable(world))?.spec?.template.spec?.nodeSelector, { pool: "a" });
  });

  it("no pod starts where the API server drops the claims of its devices", async () => {
    const world = createWorld();
    const { apply, create } = world.client;
    const drop = () => {
      for (const { spec } of world.all(DEPLOYMENTS)) delete spec?.template.spec?.resourceClaims;
    };
    world.client.create = async (...call) => {
      const made = await create(...call);
      drop();
      return made;
    };
    world.client.apply = async (...call) => {
      const applied = await apply(...call);
      drop();
      return applied;
    };
    world.put({
      ...spec("one"),
      accelerator: { claims: [{ name: "gpu", resourceClaimTemplateName: "gpu" }] },
      server: { executionProvider: "cpu" },
    });
    for (let pass = 0; pass < 6; pass += 1) await world.reconcile();
    assert.equal(stalled(world), "ClaimsUnsupported");
    assert.equal(world.all(DEPLOYMENTS)[0]?.spec?.replicas, 0);
  });
});

describe("killed between any two writes", () => {
  const end = (world: World) => ({
    children: [...world.objects.keys()].filter((key) => !key.startsWith("Pod/")).toSorted(),
    selected: selected(world),
    stable: stable(world),
    ready: ready(world),
    promoted: world.all(CONTROLLER_REVISIONS).map(({ metadata }) => metadata.annotations?.["berth.dev/promoted"]),
  });
  const story = [spec("one"), spec("two", 2), spec("one", 2), spec("three")];

  const live = async (kills: number[]): Promise<World> => {
    const world = createWorld();
    const left = [...kills];
    for (const chapter of story) {
      world.put(chapter);
      world.writesLeft = left.shift() ?? Number.POSITIVE_INFINITY;
      for (;;) {
        try {
          await world.settle();
          break;
        } catch (error) {
          if (!(error instanceof Killed)) throw error;
          world.writesLeft = left.shift() ?? Number.POSITIVE_INFINITY;
        }
      }
    }
    return world;
  };

  it("comes to the same end", async () => {
    const reference = end(await live([]));
    assert.equal(reference.ready, "True");
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 12 }), { maxLength: 12 }), async (kills) => {
        assert.deepEqual(end(await live(kills)), reference);
      }),
      { numRuns: 150 },
    );
  });
});
