import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  isStalled,
  type Rollout,
  reason,
  replicasOf,
  routes,
  serving,
  spec,
  stable,
  statusOf,
  until,
} from "../../../test/simulation/passes.ts";
import { createWorld, type World } from "../../../test/simulation/world.ts";
import { ACTION_ANNOTATION, MODEL_ROLLOUTS, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { DEPLOYMENTS, PODS } from "../../platform/kube/resources.ts";

/** The weights that the canary had, one after the other. */
const weightsUntil = async (world: World, isSo: () => boolean): Promise<number[]> => {
  const seen: number[] = [];
  await until(world, () => {
    const weight = statusOf(world).traffic?.routes.find(({ role }) => role === "canary")?.weight ?? 0;
    if (seen.at(-1) !== weight) seen.push(weight);
    return isSo();
  });
  return seen;
};

describe("a canary", () => {
  it("that is as good is promoted, step by step, and its predecessor goes", async () => {
    const world = await serving();
    const old = stable(world);
    world.put(spec("two"));
    await until(world, () => reason(world) === "RollingOut");
    const weights = await weightsUntil(world, () => stable(world) !== old);
    assert.deepEqual(
      weights.filter((weight) => weight > 0),
      [5, 25, 50],
    );
    assert.deepEqual(routes(world), ["stable 100"]);
    await world.settle();
    assert.equal(reason(world), "Serving");
    assert.equal(world.get(DEPLOYMENTS, old), undefined);
    assert.equal(statusOf(world).rollout, undefined);
  });

  it("that waits for the routers says what is in their way", async () => {
    const world = await serving();
    const message = 'pods "berth-router-1" is forbidden: failed quota: q: must specify limits.cpu for: router';
    world.routers = () => [];
    world.counts = () => [];
    world.routerNews = {
      ...world.routerNews,
      deployment: {
        ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "berth-router" } },
        status: { conditions: [{ type: "ReplicaFailure", status: "True", message }] },
      },
    };
    world.put(spec("two"));
    await until(world, () => reason(world) === "QuotaExceeded");
    assert.match(statusOf(world).message ?? "", /must specify limits\.cpu.*set limits\.cpu in router\.resources/);
    assert.match(statusOf(world).message ?? "", /still serves/);
  });

  it("that fails more often gets no requests any more, and is not tried again", async () => {
    const world = await serving();
    const old = stable(world);
    world.quality = (revision) => ({ errors: revision === old ? 0.001 : 0.05, slower: 1 });
    world.put(spec("two"));
    await until(world, () => isStalled(world));
    assert.equal(reason(world), "RolledBack");
    assert.deepEqual(routes(world), ["stable 100"]);
    const { message, rollout } = statusOf(world);
    assert.match(message ?? "", /was rolled back: regressed on errors.*; digits-.* still serves/);
    const [rejected] = rollout?.rejected ?? [];
    assert.match(rejected?.message ?? "", /harm: errors \(e-value .*, threshold 200\); canary: .* requests failed/);
    await world.settle();
    assert.equal(world.get(DEPLOYMENTS, rejected?.revision ?? ""), undefined, "its pods go when the routers follow");
    // an edit that changes nothing of it, and a way there and back
    world.put({ ...spec("two"), scaling: { minReplicas: 2 } });
    await world.settle();
    assert.equal(reason(world), "RolledBack");
    world.put(spec("one"));
    await world.settle();
    assert.deepEqual([reason(world), isStalled(world), stable(world)], ["Serving", false, old]);
    world.put(spec("two"));
    await world.settle();
    assert.equal(reason(world), "RolledBack");
    assert.equal(world.get(DEPLOYMENTS, rejected?.revision ?? ""), undefined);
    // another analysis may take it
    world.put(spec("two", { analysis: { errors: { floor: "20%" } } }));
    await until(world, () => stable(world) === rejected?.revision);
  });

  it("that is half as slow again is rejected by its latency", async () => {
    const world = await serving();
    const old = stable(world);
    world.quality = (revision) => ({ errors: 0, slower: revision === old ? 1 : 2 });
    world.put(spec("two"));
    await until(world, () => isStalled(world));
    assert.match(statusOf(world).message ?? "", /regressed on latency/);
    assert.equal(stable(world), old);
  });

  it("that crashes, or is not ready in time, is rejected without evidence", async () => {
    const world = await serving();
    const old = stable(world);
    world.fate = (revision) => ({ ready: revision === old });
    world.put(spec("two"));
    await until(world, () => isStalled(world));
    assert.match(statusOf(world).message ?? "", /was rolled back: ProgressDeadlineExceeded: not ready within 10m/);
    await world.settle();
    assert.equal(stable(world), old);
    assert.equal(world.all(DEPLOYMENTS).length, 1);
  });

  it("is held while there is no traffic, and the message says so", async () => {
    const world = await serving({ steps: [{ weight: "10%" }, { weight: "50%" }] });
    const old = stable(world);
    const none = { compared: 0, disagreed: 0 };
    const shadow = { canary: none, self: none, failed: 0, incomparable: 0 };
    world.counts = () => [{ id: "router", startedAt: 0, revisions: {}, shadow }];
    world.put(spec("two", { steps: [{ weight: "10%" }, { weight: "50%" }] }));
    await until(world, () => statusOf(world).rollout?.phase === "observing");
    for (let i = 0; i < 60; i++) {
      await world.reconcile();
      world.now += 60_000;
    }
    assert.equal(stable(world), old);
    assert.deepEqual(routes(world), ["stable 90", "canary 10"]);
    assert.match(
      statusOf(world).message ?? "",
      /step 1 of 2: 10 % of the requests go to digits-.*; no requests were counted yet/,
    );
  });

  it("waits where the spec says so, ends with the spec it came with, and starts over with another", async () => {
    const steps = [{ weight: "20%" }];
    const world = await serving({ steps });
    const old = stable(world);
    world.put(spec("two", { steps }));
    await until(world, () => statusOf(world).rollout?.phase === "observing");
    world.put(spec("two", { steps, paused: true }));
    await until(world, () => statusOf(world).rollout?.phase === "paused");
    for (let i = 0; i < 60; i++) {
      await world.reconcile();
      world.now += 60_000;
    }
    assert.deepEqual(routes(world), ["stable 80", "canary 20"]);
    const second = statusOf(world).rollout?.revision;
    world.put(spec("three", { steps }));
    await until(
      world,
      () => statusOf(world).rollout?.revision !== second && statusOf(world).rollout?.phase === "observing",
    );
    assert.equal(world.get(DEPLOYMENTS, second ?? ""), undefined);
    world.put(spec("one", { steps }));
    await world.settle();
    assert.deepEqual([stable(world), routes(world), reason(world)], [old, ["stable 100"], "Serving"]);
    assert.equal(world.all(DEPLOYMENTS).length, 1);
  });

  it("is recorded, and does what its ModelRollout is told", async () => {
    const steps = [{ weight: "20%" }, { weight: "40%" }];
    const world = await serving({ steps });
    const old = stable(world);
    world.put(spec("two", { steps }));
    await until(world, () => statusOf(world).rollout?.phase === "observing");
    const name = statusOf(world).rollout?.name ?? "";
    const record = () => world.get(MODEL_ROLLOUTS, name)?.status;
    const order = (word: string, to = name) => world.annotate(MODEL_ROLLOUTS, to, ACTION_ANNOTATION, word);
    const word = () => world.get(MODEL_ROLLOUTS, name)?.metadata.annotations?.[ACTION_ANNOTATION];
    await until(world, () => /not enough evidence on/.test(record()?.evidence ?? ""));
    const { from, state, step, to, weight } = record() ?? {};
    assert.deepEqual(
      [from, to, step, weight, state],
      [old, statusOf(world).rollout?.revision, "1/2", "20%", "Progressing"],
    );

    order("pause");
    await until(world, () => record()?.state === "Paused");
    assert.equal(word(), undefined, "a command is taken off when it is done");
    assert.match(statusOf(world).message ?? "", /step 1 of 2, paused by a command: 20 %/);
    for (let i = 0; i < 60; i++) {
      await world.reconcile();
      world.now += 60_000;
    }
    assert.deepEqual(routes(world), ["stable 80", "canary 20"]);
    order("resume");
    await until(world, () => record()?.state === "Progressing");
    order("fly");
    await until(world, () => word() === undefined);
    assert.ok(world.events.includes("Warning CommandRefused"));

    order("abort");
    await until(world, () => isStalled(world));
    await world.settle();
    assert.deepEqual(
      [record()?.state, record()?.verdict, record()?.weight],
      ["RolledBack", "aborted by a command", "0%"],
    );
    order("promote");
    await world.settle();
    assert.deepEqual([word(), stable(world)], [undefined, old], "what has ended is not promoted");
    order("retry");
    await until(world, () => statusOf(world).rollout?.phase === "observing");
    const second = statusOf(world).rollout?.name ?? "";
    assert.notEqual(second, name);
    order("promote", second);
    await until(world, () => stable(world) === to);
    await world.settle();
    assert.equal(world.get(MODEL_ROLLOUTS, second)?.status?.state, "Promoted");
    assert.equal(reason(world), "Serving");
  });

  it("goes on with its evidence under another leader", async () => {
    const steps = [{ weight: "20%" }];
    const world = await serving({ steps });
    world.put(spec("two", { steps }));
    await until(world, () => world.all(MODEL_ROLLOUTS).some(({ status }) => status?.memory !== undefined));
    const counted = () =>
      Number(/canary: 0 of ([\d,]+)/.exec(statusOf(world).message ?? "")?.[1]?.replaceAll(",", "") ?? 0);
    const before = counted();
    assert.ok(before > 100, statusOf(world).message);
    world.changeLeader();
    world.now += 10_000;
    await world.reconcile();
    world.now += 1000;
    await world.reconcile();
    assert.ok(counted() >= before, `${counted()} after ${before}`);
    await world.settle();
    assert.equal(world.all(MODEL_ROLLOUTS)[0]?.status?.memory, undefined, "what is over needs none");
  });

  it("leaves ten records, and says of those that were not decided that they were superseded", async () => {
    const steps = [{ weight: "20%" }];
    const world = await serving({ steps });
    for (let i = 0; i < 14; i++) {
      const before = statusOf(world).rollout?.revision;
      world.put(spec(`other-${i}`, { steps }));
      await until(world, () => {
        const { phase, revision } = statusOf(world).rollout ?? {};
        return revision !== before && phase === "observing";
      });
      world.now += 1000;
    }
    await world.reconcile();
    const states = world.all(MODEL_ROLLOUTS).map(({ status }) => status?.state);
    assert.equal(states.length, 10);
    assert.deepEqual(new Set(states), new Set(["Superseded", "Progressing"]));
    assert.equal(states.filter((state) => state === "Progressing").length, 1);
  });

  it("does at the end of its time what the spec says", async () => {
    for (const [onInconclusive, isPromoted] of [
      ["advance", true],
      ["rollback", false],
    ] as const) {
      const rollout = { steps: [{ weight: "50%" }], stepDuration: { min: "10s", max: "2m" }, onInconclusive };
      const world = await serving(rollout);
      const old = stable(world);
      world.counts = () => [];
      world.put(spec("two", rollout));
      await until(world, () => isStalled(world) || stable(world) !== old);
      assert.equal(stable(world) !== old, isPromoted);
      if (!isPromoted) assert.match(statusOf(world).message ?? "", /undecided after stepDuration/);
    }
  });
});

describe("a canary whose answers are compared", () => {
  const steps = [{ weight: "20%" }];
  const outputs: Partial<Rollout> = { steps, analysis: { latency: { mode: "off" }, outputs: { shadow: "20%" } } };

  it("is promoted where they agree, and gets copies as long as it is on trial", async () => {
    const world = await serving(outputs);
    const old = stable(world);
    world.put(spec("two", outputs));
    await until(world, () => statusOf(world).rollout?.phase === "observing");
    assert.deepEqual(
      statusOf(world).traffic?.routes.map(({ shadow }) => shadow),
      [undefined, 20],
    );
    await until(world, () => /safe|outputs \(/.test(statusOf(world).message ?? ""));
    assert.match(statusOf(world).message ?? "", /20 % of the requests go to digits-.*, and copies of 20 %/);
    await until(world, () => stable(world) !== old);
    await world.settle();
    assert.equal(reason(world), "Serving");
  });

  it("is rejected where they do not, though it is as fast and fails no more", async () => {
    const world = await serving(outputs);
    const old = stable(world);
    world.quality = (revision) => ({ errors: 0, slower: 1, disagrees: revision === old ? 0 : 0.2 });
    world.put(spec("two", outputs));
    await until(world, () => isStalled(world));
    assert.match(statusOf(world).message ?? "", /regressed on outputs/);
    assert.match(statusOf(world).rollout?.rejected?.[0]?.message ?? "", /outputs: \d+ of \d+ pairs disagree/);
    assert.equal(stable(world), old);
  });

  it("is not blamed for what stable disagrees with itself by", async () => {
    const world = await serving(outputs);
    const old = stable(world);
    world.quality = () => ({ errors: 0, slower: 1, disagrees: 0.2 });
    world.put(spec("two", outputs));
    await until(world, () => stable(world) !== old || isStalled(world));
    assert.equal(isStalled(world), false);
  });

  it("is told of and not judged by them where they are only reported", async () => {
    const analysis = { latency: { mode: "off" as const }, outputs: { shadow: "20%", mode: "report" as const } };
    const world = await serving({ steps, analysis });
    const old = stable(world);
    world.quality = (revision) => ({ errors: 0, slower: 1, disagrees: revision === old ? 0 : 0.9 });
    world.put(spec("two", { steps, analysis }));
    await until(world, () =>
      /outputs: \d+ of \d+ pairs disagree/.test(world.all(MODEL_ROLLOUTS)[0]?.status?.evidence ?? ""),
    );
    await until(world, () => stable(world) !== old);
  });
});

describe("a revision that gets copies only", () => {
  const shadow: Partial<Rollout> = { strategy: "shadow" };

  it("answers no client before its answers prove to agree; then all", async () => {
    const world = await serving(shadow);
    const old = stable(world);
    world.put(spec("two", shadow));
    const weights = await weightsUntil(world, () => stable(world) !== old);
    assert.deepEqual(weights, [0]);
    assert.equal(world.all(MODEL_ROLLOUTS)[0]?.status?.verdict, "no worse than stable");
    await world.settle();
    assert.deepEqual([reason(world), routes(world)], ["Serving", ["stable 100"]]);
  });

  it("is rejected where they do not", async () => {
    const world = await serving(shadow);
    const old = stable(world);
    world.quality = (revision) => ({ errors: 0, slower: 1, disagrees: revision === old ? 0 : 0.1 });
    world.put(spec("two", shadow));
    const weights = await weightsUntil(world, () => isStalled(world));
    assert.deepEqual([weights, stable(world)], [[0], old]);
    assert.match(statusOf(world).message ?? "", /regressed on outputs/);
  });

  it("is rejected where one answer in 25 has NaN for stable's number", async () => {
    const world = await serving(shadow);
    const old = stable(world);
    world.quality = (revision) => ({ errors: 0, slower: 1, nan: revision === old ? 0 : 0.04 });
    world.put(spec("two", shadow));
    const weights = await weightsUntil(world, () => isStalled(world) || stable(world) !== old);
    assert.deepEqual([weights, stable(world)], [[0], old]);
    assert.match(statusOf(world).message ?? "", /regressed on outputs/);
  });
});

describe("blue and green", () => {
  const blueGreen: Partial<Rollout> = { strategy: "blueGreen" };

  it("are switched at once when green is ready, and green is promoted if it keeps well", async () => {
    const world = await serving(blueGreen);
    const old = stable(world);
    world.put(spec("two", blueGreen));
    await until(world, () => statusOf(world).rollout?.phase === "observing");
    assert.deepEqual(routes(world), ["stable 100", "canary 0"], "for testers, who ask for it by name");
    const weights = await weightsUntil(world, () => stable(world) !== old);
    assert.deepEqual(
      weights.filter((weight) => weight > 0),
      [100],
    );
    assert.match(world.all(MODEL_ROLLOUTS)[0]?.status?.verdict ?? "", /stayed healthy with all requests/);
    await world.settle();
    assert.equal(world.get(DEPLOYMENTS, old), undefined);
  });

  it("wait for a person while the spec says so, testers excepted", async () => {
    const world = await serving(blueGreen);
    const old = stable(world);
    world.put(spec("two", { ...blueGreen, paused: true }));
    await until(world, () => statusOf(world).rollout?.phase === "paused");
    world.now += 3_600_000;
    await world.reconcile();
    assert.deepEqual([routes(world), stable(world)], [["stable 100", "canary 0"], old]);
    world.put(spec("two", blueGreen));
    await until(world, () => stable(world) !== old);
  });

  it("go back to blue where green crashes with all requests", async () => {
    const world = await serving(blueGreen);
    const old = stable(world);
    world.put(spec("two", blueGreen));
    await until(world, () => routes(world)?.includes("canary 100") === true);
    world.fate = (revision) => ({ ready: revision === old, failure: "Killed: out of memory" });
    for (const pod of world.all(PODS)) if (!pod.metadata.name.startsWith(old)) world.erase(PODS, pod.metadata.name);
    await until(world, () => isStalled(world));
    assert.deepEqual([routes(world), stable(world)], [["stable 100"], old]);
  });

  it("start over as a canary where the strategy is changed under way", async () => {
    const world = await serving(blueGreen);
    const old = stable(world);
    world.put(spec("two", blueGreen));
    await until(world, () => routes(world)?.includes("canary 100") === true);
    world.put(spec("two", { steps: [{ weight: "20%" }] }));
    await world.reconcile();
    const after = await weightsUntil(world, () => stable(world) !== old);
    assert.deepEqual(after, [0, 20, 0]);
  });
});

describe("a step that pauses", () => {
  it("waits for a person when it is proved safe, and goes on from there", async () => {
    const steps = [{ weight: "20%", pause: true }, { weight: "50%" }];
    const world = await serving({ steps });
    const old = stable(world);
    world.put(spec("two", { steps }));
    await until(world, () => statusOf(world).rollout?.phase === "paused");
    const name = statusOf(world).rollout?.name ?? "";
    assert.match(statusOf(world).message ?? "", /paused by its step; to go on: kubectl annotate modelrollout/);
    world.changeLeader();
    world.now += 3_600_000;
    await world.reconcile();
    assert.deepEqual([routes(world), stable(world)], [["stable 80", "canary 20"], old]);
    world.annotate(MODEL_ROLLOUTS, name, ACTION_ANNOTATION, "resume");
    const weights = await weightsUntil(world, () => stable(world) !== old);
    assert.deepEqual(weights, [20, 50, 0]);
  });
});

describe("where there is no room for both", () => {
  const steps = [{ weight: "25%" }, { weight: "50%" }];
  const wide = (file: string, rollout: Partial<Rollout> = {}): ModelDeploymentSpec => ({
    ...spec(file, { steps, ...rollout }),
    scaling: { minReplicas: 4 },
  });
  const served = (world: World): number =>
    world.all(DEPLOYMENTS).reduce((sum, { status }) => sum + (status?.readyReplicas ?? 0), 0);

  it("stable hands its pods over one after the other, and is never more than one short", async () => {
    const world = createWorld();
    world.slots = 4;
    world.put(wide("one"));
    await world.settle();
    const old = stable(world);
    world.put(wide("two"));
    const seen = new Set<string>();
    let fewest = 4;
    await until(world, () => {
      const { capacity } = statusOf(world).rollout ?? {};
      if (capacity !== undefined) seen.add(`${capacity.plan} ${capacity.stable}+${capacity.canary}`);
      fewest = Math.min(fewest, served(world));
      if (statusOf(world).rollout?.phase === "observing" && seen.has("handover 3+1"))
        assert.match(
          statusOf(world).message ?? "",
          /capacity handover: it replaces stable's pods stepwise.*room for 0 of 4 more/,
        );
      return stable(world) !== old;
    });
    assert.deepEqual(
      [...seen].filter((one) => !one.endsWith("+0")),
      ["handover 3+1", "handover 2+2", "handover 1+3"],
    );
    assert.ok(fewest >= 3, `${fewest} pods served`);
    await world.settle();
    assert.deepEqual([reason(world), replicasOf(world)], ["Serving", { [stable(world)]: 4 }]);
  });

  it("stable takes its pods back where the canary does harm", async () => {
    const world = createWorld();
    world.slots = 4;
    world.put(wide("one"));
    await world.settle();
    const old = stable(world);
    world.quality = (revision) => ({ errors: revision === old ? 0 : 0.1, slower: 1 });
    world.put(wide("two"));
    await until(world, () => isStalled(world));
    await world.settle();
    assert.deepEqual([stable(world), replicasOf(world)], [old, { [old]: 4 }]);
    assert.equal(served(world), 4);
  });

  it("a single pod is swapped, with the way back open until the other one is ready", async () => {
    const world = createWorld();
    world.slots = 1;
    world.put(spec("one"));
    await world.settle();
    const old = stable(world);
    world.put(spec("two"));
    await until(world, () => routes(world)?.includes("canary 100") === true);
    assert.deepEqual(routes(world), ["canary 100"], "requests wait for it, and do not go to a pod that leaves");
    await until(world, () => stable(world) !== old);
    assert.match(world.all(MODEL_ROLLOUTS)[0]?.status?.verdict ?? "", /stayed healthy with all requests/);
    await world.settle();
    assert.deepEqual([reason(world), routes(world)], ["Serving", ["stable 100"]]);
  });

  it("a swap that does not come up in time brings the old pod back", async () => {
    const world = createWorld();
    world.slots = 1;
    world.put(spec("one"));
    await world.settle();
    const old = stable(world);
    world.fate = (revision) => ({ ready: revision === old });
    world.put(spec("two"));
    await until(world, () => routes(world)?.includes("canary 100") === true);
    const since = world.now;
    await until(world, () => isStalled(world));
    assert.ok(world.now - since < 60_000, `${(world.now - since) / 1000} s is longer than requests are held`);
    assert.deepEqual(routes(world), ["stable 100"]);
    await world.settle();
    assert.deepEqual([stable(world), replicasOf(world), served(world)], [old, { [old]: 1 }, 1]);
  });

  it("nothing is swapped that takes longer to start than requests are held, and the status says so", async () => {
    const world = createWorld();
    world.slots = 1;
    world.fate = () => ({ ready: false });
    world.put(spec("one"));
    for (let i = 0; i < 6; i++) {
      await world.reconcile();
      world.act();
    }
    world.now += 45_000;
    world.fate = () => ({ ready: true });
    world.act();
    await world.settle();
    const old = stable(world);
    world.put(spec("two"));
    for (let i = 0; i < 20; i++) {
      await world.reconcile();
      world.act();
      world.now += 2000;
    }
    assert.deepEqual([stable(world), routes(world)], [old, ["stable 100"]]);
    assert.match(
      statusOf(world).rollout?.capacity?.why ?? "",
      /room for 0 of 1 more; it waits: startup plus rollback takes 113 s/,
    );
    assert.match(statusOf(world).message ?? "", /startup plus rollback takes/);
  });

  it("is stable's again first where the spec changes in the middle of a swap", async () => {
    const world = createWorld();
    world.slots = 1;
    world.put(spec("one"));
    await world.settle();
    const old = stable(world);
    world.put(spec("two"));
    await until(world, () => routes(world)?.includes("canary 100") === true && replicasOf(world)[old] === 0);
    world.put(spec("three"));
    await until(
      world,
      () => served(world) === 1 && statusOf(world).rollout?.capacity?.plan === "swap" && stable(world) === old,
    );
    await until(world, () => stable(world) !== old);
    await world.settle();
    assert.equal(reason(world), "Serving");
  });

  it("is chosen again while pods wait that were thought to have room", async () => {
    const world = createWorld();
    world.slots = 1;
    world.put(spec("one"));
    await world.settle();
    const old = stable(world);
    const { surveyed } = world;
    world.surveyed = () => undefined;
    world.put(spec("two"));
    await until(world, () => world.all(PODS).some(({ spec: { nodeName } = {} }) => nodeName === undefined));
    assert.equal(statusOf(world).rollout?.capacity?.plan, "surge");
    world.surveyed = surveyed;
    await until(world, () => statusOf(world).rollout?.capacity?.plan === "swap");
    await until(world, () => stable(world) !== old);
  });

  it("is done as the spec says, whatever fits", async () => {
    const world = createWorld();
    world.put(wide("one"));
    await world.settle();
    world.put(wide("two", { capacity: "handover" }));
    await until(world, () => statusOf(world).rollout?.phase === "observing");
    assert.equal(statusOf(world).rollout?.capacity?.plan, "handover");
  });
});
