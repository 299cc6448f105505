/** Corner cases of rollouts that users meet: none of them may take requests' pods away, or blame a revision for the cluster. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  during,
  isStalled,
  pass,
  type Rollout,
  readyPods,
  replicasOf,
  routes,
  serving,
  spec,
  stable,
  statusOf,
  until,
  weightOf,
  withoutTraffic,
} from "../../../test/simulation/passes.ts";
import { NAME, type World } from "../../../test/simulation/world.ts";
import {
  ACTION_ANNOTATION,
  MODEL_DEPLOYMENTS,
  MODEL_ROLLOUTS,
  type ModelDeploymentSpec,
} from "../../api/v1alpha1/index.ts";
import { KubeError } from "../../platform/kube/errors.ts";
import { DEPLOYMENTS, PODS, SERVICES } from "../../platform/kube/resources.ts";

const good = { ready: true, digest: `sha256:${"a".repeat(64)}` };
const order = (world: World, word: string) =>
  world.annotate(MODEL_ROLLOUTS, statusOf(world).rollout?.name ?? "", ACTION_ANNOTATION, word);
const phase = (world: World) => statusOf(world).rollout?.phase;
const candidate = (world: World) => statusOf(world).rollout?.revision ?? "";

/** The most by which a revision's share exceeded its ready pods, of those that it had; 1 while one pod changes hands. */
const mostMissing = (world: World, wanted: number, revision: string): number => {
  const needed = Math.ceil((weightOf(world, revision) * wanted) / 100);
  return needed - readyPods(world, revision);
};

describe("a handover", () => {
  const steps = [{ weight: "10%" }, { weight: "50%" }];
  const external = (replicas: number): Partial<ModelDeploymentSpec> => ({
    replicas,
    scaling: { mode: "external", minReplicas: 1 },
  });

  it("leaves each revision with a share a pod when somebody else goes down to one", async () => {
    const world = await serving({ steps, progressDeadline: "2h" }, external(3));
    const old = stable(world);
    world.fate = (revision) => ({ ...good, ready: revision === old });
    world.put(spec("two", { steps, progressDeadline: "2h" }, external(3)));
    for (let i = 0; i < 10; i++) await pass(world);
    assert.equal(statusOf(world).rollout?.capacity?.plan, "handover");
    world.put(spec("two", { steps, progressDeadline: "2h" }, external(1)));
    // a manifest says so, and not the default
    const applied = JSON.stringify({ spec: { replicas: 1 } });
    world.annotate(MODEL_DEPLOYMENTS, NAME, "kubectl.kubernetes.io/last-applied-configuration", applied);
    await during(world, 5, () => assert.ok((replicasOf(world)[old] ?? 0) >= 1, "stable has all requests, and a pod"));
    assert.equal(readyPods(world, old), 1);
    assert.deepEqual(routes(world), ["stable 100"]);
  });

  it("does so when the load goes down to one pod", async () => {
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 1, maxReplicas: 4 } };
    let wanted = 4;
    const world = await serving({ steps }, more, (w) => {
      const { scale } = w;
      w.slots = 4;
      w.scale = (subject) => ({ ...scale(subject), wanted });
    });
    const old = stable(world);
    world.put(spec("two", { steps }, more));
    await until(world, () => phase(world) === "observing");
    assert.equal(statusOf(world).rollout?.capacity?.plan, "handover");
    wanted = 1;
    await until(world, () => {
      const share = weightOf(world, old);
      assert.ok(share === 0 || readyPods(world, old) >= 1, `stable has ${share} % of the requests and no pod`);
      return stable(world) !== old;
    });
  });

  it("keeps spec.replicas for both revisions together, where somebody else counts them", async () => {
    const world = await serving({ steps }, external(4));
    const old = stable(world);
    world.put(spec("two", { steps }, external(4)));
    await until(world, () => {
      const both = Object.values(replicasOf(world)).reduce((sum, count) => sum + count, 0);
      assert.ok(stable(world) !== old || both <= 4, `${both} pods of 4`);
      return stable(world) !== old;
    });
  });

  it("does so from then on where somebody else goes up from one in the middle of a surge", async () => {
    for (const capacity of ["auto", "surge"] as const) {
      const rollout: Partial<Rollout> = { steps: [{ weight: "20%" }, { weight: "50%", pause: true }], capacity };
      const world = await serving(rollout, external(1));
      const old = stable(world);
      world.put(spec("two", rollout, external(1)));
      await until(world, () => phase(world) === "observing");
      assert.equal(statusOf(world).rollout?.capacity?.plan, "surge");
      world.put(spec("two", rollout, external(4)));
      const both = () => Object.values(replicasOf(world)).reduce((sum, count) => sum + count, 0);
      await until(world, () => {
        assert.ok(both() <= 4, `${both()} pods of 4`);
        return phase(world) === "paused";
      });
      assert.deepEqual([readyPods(world, old), readyPods(world, candidate(world))], [2, 2]);
      order(world, "resume");
      await until(world, () => {
        assert.ok(stable(world) !== old || both() <= 4, `${both()} pods of 4`);
        return stable(world) !== old;
      });
    }
  });

  it("moves requests with the pods in one large step, never more than one pod ahead", async () => {
    const large = [{ weight: "50%" }];
    const world = await serving({ steps: large }, { scaling: { minReplicas: 10 } }, (w) => {
      w.slots = 10;
    });
    const old = stable(world);
    world.put(spec("two", { steps: large }, { scaling: { minReplicas: 10 } }));
    let most = 0;
    await until(world, () => {
      if (stable(world) === old) most = Math.max(most, mostMissing(world, 10, old));
      return phase(world) === "observing";
    });
    assert.equal(most, 1);
  });

  it("is not taken for one without room where pods wait for the scheduler to try them again", async () => {
    const half = [{ weight: "50%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 6 } };
    const world = await serving({ steps: half }, more, (w) => {
      w.slots = 6;
    });
    const old = stable(world);
    const born = new Map(world.all(PODS).map(({ metadata }) => [metadata.name, 0]));
    world.fate = (revision, index) => {
      const key = `${revision}-${index}`;
      if (!world.get(PODS, key)) born.set(key, world.now);
      const isBackedOff = world.now - (born.get(key) ?? 0) < 10_000;
      return isBackedOff ? { ready: false, pending: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu." } : good;
    };
    world.put(spec("two", { steps: half }, more));
    await until(world, () => stable(world) !== old);
    assert.ok(readyPods(world, stable(world)) >= 5, `${readyPods(world, stable(world))} of 6 pods`);
  });

  const atSixty = [{ weight: "20%" }, { weight: "40%" }, { weight: "60%" }];
  const wide: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 4 } };
  const inTheMiddle = async (minutes = 0): Promise<{ world: World; old: string; second: string }> => {
    const world = await serving({ steps: atSixty }, wide, (w) => {
      w.slots = 4;
    });
    const old = stable(world);
    world.put(spec("two", { steps: atSixty }, wide));
    await until(world, () => phase(world) === "observing" && weightOf(world, candidate(world)) === 60);
    if (minutes > 0) {
      withoutTraffic(world);
      order(world, "pause");
      await during(world, minutes);
    }
    // from now on a pod takes two minutes to get ready
    const born = new Map(world.all(PODS).map(({ metadata }) => [metadata.name, 0]));
    world.fate = (revision, index) => {
      const key = `${revision}-${index}`;
      if (!world.get(PODS, key)) born.set(key, world.now);
      return { ...good, ready: world.now - (born.get(key) ?? 0) >= 120_000 };
    };
    return { world, old, second: candidate(world) };
  };

  it("that is superseded gives its share back as stable's pods come back, and only then the next one begins", async () => {
    const { old, second, world } = await inTheMiddle();
    world.put(spec("three", { steps: atSixty }, wide));
    let most = 0;
    await until(world, () => {
      most = Math.max(most, mostMissing(world, 4, old), mostMissing(world, 4, second));
      return candidate(world) !== second;
    });
    assert.equal(most, 1);
    assert.equal(readyPods(world, old) >= 3, true);
    await until(world, () => stable(world) !== old && stable(world) !== second);
    assert.equal(isStalled(world), false);
  });

  it("that is aborted, or left for the spec of stable, does the same", async () => {
    for (const how of ["abort", "back"] as const) {
      const { old, second, world } = await inTheMiddle();
      if (how === "abort") order(world, "abort");
      else world.put(spec("one", { steps: atSixty }, wide));
      let most = 0;
      await until(world, () => {
        most = Math.max(most, mostMissing(world, 4, old), mostMissing(world, 4, second));
        return readyPods(world, old) === 4 && weightOf(world, old) === 100;
      });
      assert.equal(most, 1, how);
      assert.equal(isStalled(world), how === "abort");
    }
  });

  it("that has stood still for long does the same", async () => {
    for (const how of ["abort", "back", "superseded", "immediate"] as const) {
      const { old, second, world } = await inTheMiddle(15);
      if (how === "abort") order(world, "abort");
      else if (how === "immediate") world.put(spec("two", { strategy: "immediate" }, wide));
      else world.put(spec(how === "back" ? "one" : "three", { steps: atSixty }, wide));
      let most = 0;
      await until(world, () => {
        most = Math.max(most, mostMissing(world, 4, old), mostMissing(world, 4, second));
        return statusOf(world).rollout?.phase !== "retreating" && weightOf(world, second) === 0;
      });
      assert.equal(most, 1, how);
    }
  });

  it("that is to be immediate from now on does the same, and clients stay with the routers until then", async () => {
    const { old, second, world } = await inTheMiddle();
    world.put(spec("two", { strategy: "immediate" }, wide));
    let most = 0;
    await until(world, () => {
      if (stable(world) === old && statusOf(world).rollout?.revision !== undefined) {
        most = Math.max(most, mostMissing(world, 4, old), mostMissing(world, 4, second));
        assert.equal(world.get(SERVICES, NAME)?.spec?.selector?.["berth.dev/revision"], undefined);
      }
      return statusOf(world).rollout === undefined;
    });
    assert.deepEqual([most, stable(world)], [1, old]);
    // stable has all of its room back, and the other one has its time to find some
    await until(world, () => readyPods(world, old) === 4, 5);
    await during(world, 5, () => {
      assert.equal(readyPods(world, old), 4);
      assert.doesNotMatch(statusOf(world).message ?? "", /not ready within/);
    });
    world.slots = 8;
    await until(world, () => stable(world) === second, 30);
  });

  it("that does harm gets no request more, whatever stable has", async () => {
    const { old, second, world } = await inTheMiddle();
    world.quality = (revision) => ({ errors: revision === second ? 0.5 : 0, slower: 1 });
    await until(world, () => isStalled(world));
    assert.deepEqual([routes(world), weightOf(world, old)], [["stable 100"], 100]);
  });
});

describe("a handover with more load than room before it begins", () => {
  const steps = [{ weight: "50%" }];
  const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 4 } };
  const cramped = async (rollout: Partial<Rollout> = {}, slots = 2): Promise<{ world: World; old: string }> => {
    const world = await serving({ steps, ...rollout }, { scaling: { minReplicas: slots } }, (w) => {
      w.slots = slots;
    });
    world.put(spec("one", { steps, ...rollout }, more));
    await during(world, 5);
    const old = stable(world);
    world.put(spec("two", { steps, ...rollout }, more));
    return { world, old };
  };

  it("goes by the pods that have a node, and takes none of those for one that finds none", async () => {
    for (const rollout of [{}, { capacity: "handover" as const }]) {
      const { old, world } = await cramped(rollout);
      assert.equal(readyPods(world, old), 2);
      await until(world, () => phase(world) === "observing", 30);
      assert.deepEqual([readyPods(world, old), readyPods(world, candidate(world))], [1, 1]);
      assert.deepEqual(routes(world), ["stable 50", "canary 50"]);
      assert.match(statusOf(world).message ?? "", /the load needs more pods, and no node has room for them/);
      await until(world, () => stable(world) !== old, 60);
      await world.settle();
      assert.equal(readyPods(world, stable(world)), 2);
      assert.equal(replicasOf(world)[stable(world)], 4, "what requests need is asked for again");
    }
  });

  it("keeps the pods that find no node away for minutes, and asks again in case that nodes have come", async () => {
    const { world } = await cramped({ steps: [{ weight: "50%", pause: true }] });
    await until(world, () => phase(world) === "paused", 30);
    let changes = 0;
    let before = JSON.stringify(replicasOf(world));
    await during(world, 30, () => {
      const now = JSON.stringify(replicasOf(world));
      if (now !== before) changes++;
      before = now;
      assert.deepEqual(routes(world), ["stable 50", "canary 50"]);
    });
    assert.ok(changes >= 2 && changes <= 2 * 6, `the replicas changed ${changes} times in half an hour`);
    world.slots = 4;
    await until(world, () => readyPods(world, stable(world)) === 2 && readyPods(world, candidate(world)) === 2, 7);
  });

  it("is not held up by room that was free when it began, and that stable's own pods have taken", async () => {
    const half = [{ weight: "25%" }, { weight: "50%" }];
    const world = await serving({ steps: half }, {}, (w) => {
      w.slots = 4;
    });
    const old = stable(world);
    world.put(spec("two", { steps: half }));
    await until(world, () => readyPods(world, candidate(world)) === 1);
    world.put(spec("two", { steps: half }, more));
    await until(world, () => stable(world) !== old, 60);
    await world.settle();
    assert.equal(readyPods(world, stable(world)), 4);
  });

  it("goes back by them, too", async () => {
    const { old, world } = await cramped({ steps: [{ weight: "50%", pause: true }] });
    await until(world, () => phase(world) === "paused", 30);
    const second = candidate(world);
    let least = 2;
    world.put(spec("one", { steps }, more));
    await until(
      world,
      () => {
        least = Math.min(least, readyPods(world, old) + readyPods(world, second));
        return statusOf(world).rollout?.revision === undefined && readyPods(world, old) === 2;
      },
      5,
    );
    assert.ok(least >= 1);
  });
});

describe("a write that fails", () => {
  const webhook = (what: string) => (write: string) =>
    write.includes(what)
      ? new KubeError("admission is down", { kind: "retryable", reason: "InternalError", status: 500 })
      : undefined;
  const tolerant = async (world: World, minutes: number): Promise<void> => {
    for (const end = world.now + minutes * 60_000; world.now < end; ) {
      await world.reconcile().catch((error: unknown) => assert.ok(error instanceof KubeError));
      world.act();
      world.now += 5_000;
    }
  };

  it("keeps no harmful canary in the routing table", async () => {
    const steps = [{ weight: "50%" }];
    const world = await serving({ steps });
    const old = stable(world);
    world.put(spec("two", { steps }));
    await until(world, () => phase(world) === "observing");
    world.quality = (revision) => ({ errors: revision === old ? 0 : 1, slower: 1 });
    world.refuses = webhook("ModelRollout");
    await tolerant(world, 10);
    assert.deepEqual([routes(world), isStalled(world)], [["stable 100"], true]);
    world.refuses = () => undefined;
    await world.settle();
    assert.deepEqual(
      world.all(MODEL_ROLLOUTS).map(({ status }) => status?.state),
      ["RolledBack"],
    );
  });

  it("of the status holds up no other write", async () => {
    const world = await serving();
    const old = stable(world);
    world.put(spec("two"));
    await until(world, () => phase(world) === "observing");
    // the canary's rejection is due in each pass, and cannot be written
    world.quality = (revision) => ({ errors: revision === old ? 0 : 1, slower: 1 });
    world.refuses = webhook("ModelDeployment/digits/status");
    await tolerant(world, 5);
    world.erase(DEPLOYMENTS, old);
    await tolerant(world, 1);
    assert.equal(replicasOf(world)[old], 1, "stable's Deployment is made again");
  });

  it("keeps no first revision from being told of", async () => {
    const world = await serving();
    const fresh = await serving({}, {}, (w) => {
      w.refuses = webhook("PodDisruptionBudget");
    });
    assert.equal(statusOf(fresh).stable?.revision, statusOf(world).stable?.revision);
  });
});

describe("a swap", () => {
  const inTheMiddle = async (more: Partial<ModelDeploymentSpec> = {}): Promise<{ world: World; old: string }> => {
    const world = await serving({}, more, (w) => {
      w.slots = 1;
    });
    const old = stable(world);
    world.fate = (revision) => ({ ...good, ready: revision === old });
    world.put(spec("two", { progressDeadline: "2h" }, more));
    await until(world, () => routes(world)?.includes("canary 100") === true && phase(world) === "observing");
    return { world, old };
  };

  it("cannot be paused while nobody serves, by a command or by the spec", async () => {
    for (const how of ["command", "spec"] as const) {
      const { old, world } = await inTheMiddle();
      if (how === "command") order(world, "pause");
      else world.put(spec("two", { progressDeadline: "2h", paused: true }));
      const since = world.now;
      await until(world, () => readyPods(world, old) === 1 && weightOf(world, old) === 100, 60);
      assert.ok(world.now - since < 65_000, `${how}: ${(world.now - since) / 1000} s`);
    }
  });

  it("whose pods find no room gives the place back, and is tried again later", async () => {
    const { old, world } = await inTheMiddle();
    world.fate = (revision) =>
      revision === old ? good : { ready: false, pending: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu." };
    await until(world, () => weightOf(world, old) === 100 && readyPods(world, old) === 1, 5);
    assert.equal(isStalled(world), false, "the revision is not rejected");
    assert.notEqual(statusOf(world).rollout?.capacity?.retryAt, undefined);
    world.fate = () => good;
    await until(world, () => stable(world) !== old, 180);
  });

  it("that is to be immediate from now on brings stable's pod back first, unless its own is ready", async () => {
    const { old, world } = await inTheMiddle();
    world.put(spec("two", { strategy: "immediate" }));
    await until(world, () => readyPods(world, old) === 1 && weightOf(world, old) === 100, 1);
    world.slots = 2;
    world.fate = () => good;
    await until(world, () => stable(world) !== old, 5);
    const other = await inTheMiddle();
    other.world.fate = () => good;
    await until(other.world, () => readyPods(other.world, candidate(other.world)) === 1, 1);
    other.world.put(spec("two", { strategy: "immediate" }));
    await pass(other.world);
    assert.notEqual(stable(other.world), other.old);
  });

  it("is promoted by a person only once a pod of it is ready", async () => {
    const { old, world } = await inTheMiddle();
    order(world, "promote");
    await pass(world);
    assert.equal(stable(world), old);
    world.fate = () => good;
    await until(world, () => stable(world) !== old, 2);
  });
});

describe("promote", () => {
  it("skips evidence and no pods: stable serves until the others are ready", async () => {
    const steps = [{ weight: "10%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 2 } };
    const world = await serving({ steps }, more);
    const old = stable(world);
    world.fate = (revision) => ({ ...good, ready: revision === old });
    world.put(spec("two", { steps }, more));
    await until(world, () => world.all(MODEL_ROLLOUTS).length === 1 && world.all(DEPLOYMENTS).length === 2);
    order(world, "promote");
    await during(world, 3, () => assert.equal(readyPods(world, old), 2));
    assert.equal(stable(world), old);
    world.fate = () => good;
    await until(world, () => stable(world) !== old, 5);
    assert.equal(readyPods(world, stable(world)), 2);
    assert.equal(world.all(MODEL_ROLLOUTS)[0]?.status?.verdict, "promoted by a command");
  });

  it("at one pod of ten moves no more requests than there are pods for", async () => {
    const steps = [{ weight: "10%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 10 } };
    for (const slots of [30, 10]) {
      const world = await serving({ steps }, more, (w) => {
        w.slots = slots;
      });
      const old = stable(world);
      world.put(spec("two", { steps }, more));
      await until(world, () => phase(world) === "observing");
      const next = candidate(world);
      order(world, "promote");
      let most = 0;
      await until(world, () => {
        most = Math.max(most, mostMissing(world, 10, old), mostMissing(world, 10, next));
        return stable(world) !== old;
      });
      // without room for a pod more, one is short while it changes hands
      assert.equal(most, slots === 30 ? 0 : 1);
      await world.settle();
      assert.equal(readyPods(world, stable(world)), 10);
    }
  });
});

describe("a pause", () => {
  it("holds a rollout whose steps are done, too, until it ends", async () => {
    const steps = [{ weight: "50%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 4 } };
    for (const how of ["spec", "command"] as const)
      for (const slots of [4, 5]) {
        const world = await serving({ steps }, more, (w) => {
          w.slots = slots;
        });
        const old = stable(world);
        world.put(spec("two", { steps }, more));
        await until(world, () => phase(world) === "finishing");
        const before = routes(world);
        if (how === "spec") world.put(spec("two", { steps, paused: true }, more));
        else order(world, "pause");
        await during(world, 10);
        assert.deepEqual([stable(world), routes(world)], [old, before], how);
        assert.match(statusOf(world).message ?? "", /paused by spec|paused by the command/);
        if (how === "spec") world.put(spec("two", { steps }, more));
        else order(world, "resume");
        await until(world, () => stable(world) !== old, 30);
      }
  });

  it("of the spec holds no rollout that a person has promoted", async () => {
    const steps = [{ weight: "50%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 4 } };
    const world = await serving({ steps }, more, (w) => {
      w.slots = 4;
    });
    const old = stable(world);
    world.put(spec("two", { steps, paused: true }, more));
    await until(world, () => readyPods(world, candidate(world)) > 0);
    order(world, "promote");
    await until(world, () => stable(world) !== old, 30);
  });
});

describe("what is the cluster's", () => {
  it("rejects no canary that serves: more load than there is room for", async () => {
    const steps = [{ weight: "50%", pause: true }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 1, maxReplicas: 8 } };
    const world = await serving({ steps }, more, (w) => {
      w.slots = 3;
    });
    const old = stable(world);
    world.put(spec("two", { steps }, more));
    await until(world, () => phase(world) === "paused");
    const { scale } = world;
    world.scale = (subject) => ({ ...scale(subject), wanted: 4 });
    await during(world, 30);
    assert.deepEqual([isStalled(world), stable(world)], [false, old]);
    assert.ok(readyPods(world, candidate(world)) >= 1);
  });

  it("takes no pod from stable for one that no node would take, were it empty", async () => {
    for (const replicas of [1, 2]) {
      const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: replicas } };
      const world = await serving({ progressDeadline: "1m" }, more, (w) => {
        w.slots = replicas;
      });
      const old = stable(world);
      const nowhere: Partial<ModelDeploymentSpec> = {
        ...more,
        accelerator: { vendor: "nvidia", products: ["NVIDIA-Z9"] },
        server: { executionProvider: "cpu" },
      };
      world.put(spec("two", { progressDeadline: "1m" }, nowhere));
      await during(world, 30, () => assert.equal(readyPods(world, old), replicas));
      assert.equal(isStalled(world), false);
      assert.match(statusOf(world).message ?? "", /no node fits its pods/);
    }
  });

  it("rejects no canary that has no room at all: it waits, and says so", async () => {
    const steps = [{ weight: "50%" }];
    const world = await serving({ steps, capacity: "surge" }, {}, (w) => {
      w.slots = 1;
    });
    const old = stable(world);
    world.put(spec("two", { steps, capacity: "surge" }));
    await during(world, 30);
    assert.equal(isStalled(world), false);
    assert.match(statusOf(world).message ?? "", /Too many pods|room/);
    world.slots = 2;
    await until(world, () => stable(world) !== old);
  });

  it("rejects no canary whose pods no scheduler has looked at: it waits, and says so", async () => {
    for (const strategy of ["canary", "shadow", "blueGreen"] as const) {
      const world = await serving({ strategy, progressDeadline: "1m" });
      const old = stable(world);
      world.fate = (revision) => (revision === old ? good : { ready: false, untold: true });
      world.put(spec("two", { strategy, progressDeadline: "1m" }));
      await during(world, 3);
      assert.equal(isStalled(world), false, strategy);
      assert.match(statusOf(world).message ?? "", /has no node, and default-scheduler has not looked at it/);
      world.fate = () => good;
      await until(world, () => readyPods(world, candidate(world)) === 1, 1);
    }
  });

  it("rejects no canary whose node was rebooted, or that ended once", async () => {
    const steps = [{ weight: "25%" }, { weight: "50%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 4 } };
    for (const ended of [
      { exitCode: 255, reason: "Unknown" },
      { exitCode: 1 },
      { exitCode: 137, reason: "OOMKilled" },
    ]) {
      const world = await serving({ steps }, more);
      const old = stable(world);
      world.put(spec("two", { steps }, more));
      await until(world, () => phase(world) === "observing" && statusOf(world).rollout?.step === 1);
      world.fate = (revision, index) => (revision !== old && index === 0 ? { ready: false, restarts: 1, ended } : good);
      world.act();
      await pass(world);
      await pass(world);
      assert.equal(isStalled(world), false, JSON.stringify(ended));
      world.fate = () => good;
      await until(world, () => stable(world) !== old);
    }
  });

  it("rejects no canary that waits, paused or for traffic, where its pod is replaced or its node is rebooted", async () => {
    const progressDeadline = "3m";
    for (const rollout of [{ steps: [{ weight: "50%" }], paused: true, progressDeadline }, { progressDeadline }])
      for (const how of ["replaced", "rebooted"]) {
        const world = await serving(rollout);
        const old = stable(world);
        world.counts = () => [];
        world.put(spec("two", rollout));
        await during(world, 4);
        const pod = `${candidate(world)}-0`;
        if (how === "replaced") world.erase(PODS, pod);
        const from = world.now;
        world.fate = (revision) => ({ ...good, ready: revision === old || world.now - from > 30_000 });
        world.act();
        await during(world, 0.25);
        assert.equal(readyPods(world, candidate(world)), 0);
        await during(world, 2);
        assert.deepEqual([isStalled(world), readyPods(world, candidate(world))], [false, 1], how);
        // one that does not come back has its time, and no more
        world.fate = (revision) => ({ ...good, ready: revision === old });
        await during(world, 2);
        assert.equal(isStalled(world), false);
        await during(world, 2);
        assert.equal(isStalled(world), true);
      }
  });

  it("rejects one that crashes again and again, or on two pods", async () => {
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 2 } };
    for (const [restarts, pods] of [
      [3, 1],
      [1, 2],
    ] as const) {
      const world = await serving({}, more, (w) => {
        w.slots = 100;
      });
      const old = stable(world);
      world.fate = (revision, index) =>
        revision !== old && index < pods ? { ready: false, restarts, ended: { exitCode: 1 } } : good;
      world.put(spec("two", {}, more));
      await until(world, () => isStalled(world), 5);
      assert.match(statusOf(world).message ?? "", /was rolled back: CrashLooping/);
    }
  });
});

describe("a stable revision that answers nobody", () => {
  const broken = { ready: false, failure: "Killed: out of memory" };
  const strategies: [string, Partial<Rollout>][] = [
    ["canary", {}],
    ["canary", { steps: [{ weight: "20%" }, { weight: "50%" }] }],
    ["shadow", { strategy: "shadow" }],
    ["blueGreen", { strategy: "blueGreen" }],
  ];

  it("is replaced by a revision whose pods do, with traffic and without", async () => {
    for (const [name, rollout] of strategies)
      for (const isAsked of [true, false]) {
        const world = await serving(rollout);
        const old = stable(world);
        world.fate = (revision) => (revision === old ? broken : good);
        world.quality = (revision) => ({ errors: revision === old ? 1 : 0, slower: 1 });
        if (!isAsked) withoutTraffic(world);
        world.put(spec("two", rollout));
        await until(world, () => stable(world) !== old, 10);
        if (name === "canary")
          assert.match(world.all(MODEL_ROLLOUTS)[0]?.status?.verdict ?? "", /stable answered no request/);
        await world.settle();
        assert.equal(readyPods(world, stable(world)), 1);
      }
  });

  it("is replaced where its pods are ready, and all of its answers are errors", async () => {
    const world = await serving({ steps: [{ weight: "20%" }] });
    const old = stable(world);
    world.quality = (revision) => ({ errors: revision === old ? 1 : 0, slower: 1 });
    world.put(spec("two", { steps: [{ weight: "20%" }] }));
    await until(world, () => stable(world) !== old, 10);
  });

  it("is replaced where its broken pods hold all the room", async () => {
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 4 } };
    const world = await serving({ steps: [{ weight: "25%" }] }, more, (w) => {
      w.slots = 4;
    });
    const old = stable(world);
    world.fate = (revision) => (revision === old ? broken : good);
    world.put(spec("two", { steps: [{ weight: "25%" }] }, more));
    await until(world, () => stable(world) !== old, 30);
    await world.settle();
    assert.equal(readyPods(world, stable(world)), 4);
  });

  it("serves again where it comes back before its successor is whole, and that one is gone", async () => {
    const steps = [{ weight: "25%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 4 } };
    const world = await serving({ steps }, more);
    const old = stable(world);
    withoutTraffic(world);
    world.fate = (revision, index) => ({ ...good, ready: revision !== old && index < 1 });
    world.put(spec("two", { steps, progressDeadline: "2h" }, more));
    await until(world, () => phase(world) === "finishing", 10);
    world.fate = (revision) => ({ ...good, ready: revision === old });
    await until(world, () => weightOf(world, old) === 100, 1);
  });

  it("is replaced where its only pod holds the only room, or a strategy needs room for both", async () => {
    for (const [strategy, replicas] of [
      ["canary", 1],
      ["shadow", 1],
      ["blueGreen", 1],
      ["shadow", 3],
      ["blueGreen", 3],
    ] as const) {
      const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: replicas } };
      const world = await serving({ strategy }, more, (w) => {
        w.slots = replicas;
      });
      const old = stable(world);
      world.fate = (revision) => (revision === old ? broken : good);
      world.put(spec("two", { strategy }, more));
      await until(world, () => stable(world) !== old, 30);
      await world.settle();
      assert.equal(readyPods(world, stable(world)), replicas);
    }
  });

  it("is not replaced by one that answers with nothing but errors, nor against a pause", async () => {
    const steps = [{ weight: "20%" }];
    for (const paused of [false, true]) {
      const world = await serving({ steps });
      const old = stable(world);
      world.quality = (revision) => ({ errors: revision === old || !paused ? 1 : 0, slower: 1 });
      world.put(spec("two", { steps, paused }));
      await during(world, 10);
      assert.equal(stable(world), old);
    }
  });

  it("is not meant where it slept, and takes its time to start", async () => {
    const steps = [{ weight: "20%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 0, maxReplicas: 4 } };
    for (const isBroken of [false, true]) {
      const world = await serving({ steps }, more);
      const old = stable(world);
      withoutTraffic(world);
      const { scale } = world;
      world.scale = (subject) => ({ ...scale(subject), wanted: subject.isProving ? 1 : 0 });
      await world.settle();
      assert.equal(readyPods(world, old), 0);
      const from = world.now;
      world.fate = (revision) =>
        revision !== old ? good : isBroken ? broken : { ...good, ready: world.now - from >= 300_000 };
      world.put(spec("two", { steps }, more));
      await during(world, 15);
      assert.equal(stable(world) !== old, isBroken);
    }
  });

  it("comes back within two minutes, and nothing is replaced", async () => {
    const steps = [{ weight: "20%" }];
    const world = await serving({ steps, paused: false });
    const old = stable(world);
    withoutTraffic(world);
    world.put(spec("two", { steps }));
    await until(world, () => phase(world) === "observing");
    world.fate = (revision) => ({ ...good, ready: revision !== old });
    await during(world, 1.5);
    world.fate = () => good;
    await during(world, 10);
    assert.equal(stable(world), old);
  });
});

describe("a stable revision and its successor that both answer nobody", () => {
  it("are waited for, and not looked at without a pause", async () => {
    const world = await serving();
    world.fate = () => ({ ...good, ready: false });
    world.put(spec("two"));
    await during(world, 5);
    const { requeueAfterMs = 0 } = await world.reconcile();
    assert.ok(requeueAfterMs > 1000, `again after ${requeueAfterMs} ms`);
  });

  it("hold up no third one that does", async () => {
    for (const weight of [0, 50]) {
      const steps = [{ weight: "50%" }];
      const world = await serving({ steps });
      const old = stable(world);
      withoutTraffic(world);
      if (weight === 0) world.fate = () => ({ ...good, ready: false });
      world.put(spec("two", { steps }));
      await until(world, () => phase(world) === (weight === 0 ? "preparing" : "observing"));
      const second = candidate(world);
      world.fate = (revision) => ({ ...good, ready: revision !== old && revision !== second });
      await during(world, 1);
      world.put(spec("three", { steps }));
      await until(world, () => stable(world) !== old && stable(world) !== second, 15);
    }
  });

  it("let the second take over that the third was to replace, unless that is paused; its record says so", async () => {
    const steps = [{ weight: "50%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 2 } };
    const world = await serving({ steps }, more);
    const old = stable(world);
    withoutTraffic(world);
    world.put(spec("two", { steps }, more));
    await until(world, () => phase(world) === "observing");
    const second = candidate(world);
    world.fate = (revision) => ({ ...good, ready: revision === second });
    world.act();
    world.put(spec("three", { steps, paused: true }, more));
    await during(world, 10);
    const record = () => world.get(MODEL_ROLLOUTS, `${second}-1`)?.status;
    assert.deepEqual([stable(world), record()?.state, record()?.weight], [old, "Superseded", "50%"]);
    world.put(spec("three", { steps }, more));
    await until(world, () => stable(world) === second, 5);
    await during(world, 1);
    assert.deepEqual([record()?.state, record()?.weight], ["Promoted", "100%"]);
    assert.match(record()?.verdict ?? "", /stable answered no request/);
    assert.notEqual(record()?.endedAt, undefined);
  });

  it("hold up no third one where a person has aborted the second", async () => {
    const steps = [{ weight: "50%" }];
    const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 2 } };
    const world = await serving({ steps }, more, (w) => {
      w.slots = 2;
    });
    const old = stable(world);
    withoutTraffic(world);
    world.put(spec("two", { steps }, more));
    await until(world, () => phase(world) === "observing");
    const second = candidate(world);
    world.fate = (revision) => ({ ...good, ready: revision !== old });
    order(world, "abort");
    await during(world, 1);
    world.put(spec("three", { steps }, more));
    await until(world, () => stable(world) !== old && stable(world) !== second, 60);
  });
});
