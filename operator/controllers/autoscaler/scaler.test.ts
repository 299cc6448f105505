import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ONE, type PodSpec } from "../../domain/placement/request.ts";
import type { Surveyed } from "../../domain/placement/surveyed.ts";
import type { Scale, Subject } from "../../domain/scaling/scale.ts";
import type { ObjectKey, Pod } from "../../platform/kube/objects.ts";
import { createScaler } from "./scaler.ts";
import type { Line } from "./tally.ts";

const GPU = "nvidia.com/gpu";
const template: PodSpec = { containers: [{ name: "server", resources: { requests: { [GPU]: "1" } } }] };
const subject = (rest: Partial<Subject> = {}): Subject => ({
  wish: { min: 0, max: 4, target: { kind: "utilization", share: 0.7 }, idleSeconds: 60, schedule: [] },
  ...{ generation: 1, revisions: ["digits-1"], isProving: false, isCounted: true, replicas: 0, template, createdAt: 1 },
  ...{ devices: { resource: GPU, count: 1 }, learnt: { startSeconds: 10, curve: undefined }, ...rest },
});

const pluginless = () => {
  const free = new Map([["pods", 100n * ONE]]);
  return { node: "n", labels: {}, taints: [], total: free, free };
};

/** A scaler in a world of plain values, in which nothing happens by itself. */
const setUp = () => {
  let now = Date.parse("2026-01-01T00:00:00Z");
  let tell: ((line: Line) => void) | undefined;
  let fail: ((why: string) => void) | undefined;
  const world = {
    free: 8,
    /** Devices that a DeviceClass offers instead, which nobody has. */
    unclaimed: undefined as number | undefined,
    placed: 0,
    routers: 1,
    changed: [] as string[],
    failed: [] as (string | undefined)[],
    pods: new Map<string, Pod[]>(),
    surveys: 0,
    pass: (ms: number) => {
      now += ms;
    },
    now: () => now,
    line: (model: string, told: Partial<Line["models"][string][string]>, revision = "digits-1") =>
      tell?.({
        started: "s",
        models: { [model]: { [revision]: { arrived: 0, crowd: 0, waiting: 0, inFlight: 0, ...told } } },
      }),
    deafen: (why: string) => fail?.(why),
  };
  const surveyed = (): Surveyed => {
    const free = new Map([
      [GPU, BigInt(world.free) * ONE],
      ["pods", 100n * ONE],
    ]);
    return {
      rooms: [
        world.unclaimed === undefined
          ? { node: "n", labels: {}, taints: [], total: free, free }
          : { ...pluginless(), devices: { offered: new Set([GPU]), unclaimed: world.unclaimed } },
      ],
      waiting: [],
      placed: new Map([["a/digits-1", world.placed]]),
      priorities: new Map([["urgent", 9]]),
    };
  };
  const scaler = createScaler({
    podsOf: ({ name }) => world.pods.get(name) ?? [],
    routersOf: () => (world.routers === 0 ? [] : [{ namespace: "a", name: "berth-router-x", address: "10.0.0.1" }]),
    hear: (_address, onLine) =>
      new Promise((resolve) => {
        tell = onLine;
        fail = resolve;
      }),
    askCurve: () => Promise.resolve({ each: 0.2, perItem: 0, maxBatch: 1, parallel: 1 }),
    survey: () => {
      world.surveys++;
      return Promise.resolve(surveyed());
    },
    nodesCome: () => false,
    clock: () => now,
    changed: ({ name }) => void world.changed.push(name),
    report: () => undefined,
    failed: (_error, key) => void world.failed.push(key?.name),
  });
  const stop = new AbortController().signal;
  const key = (name: string): ObjectKey => ({ namespace: "a", name });
  return {
    world,
    look: (name: string, of: Subject | undefined): Scale | undefined => scaler.look(key(name), of, now),
    tick: async (times = 1): Promise<void> => {
      for (let i = 0; i < times; i++) {
        world.pass(1000);
        await scaler.tick(stop);
      }
    },
  };
};
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("the loop that scales", () => {
  it("wakes what sleeps with the very line that tells of a request, and not with the next look", async () => {
    const { look, tick, world } = setUp();
    look("digits", subject());
    await tick();
    world.line("digits", {});
    world.line("digits", { arrived: 1, crowd: 1, waiting: 1 });
    await settled();
    assert.deepEqual(world.changed, ["digits"]);
    assert.deepEqual([look("digits", subject())?.wanted, look("digits", subject())?.why], [1, "load"]);
  });

  it("takes nothing away while a router is not heard, and says which and why", async () => {
    const { look, tick, world } = setUp();
    look("digits", subject({ replicas: 3 }));
    await tick();
    world.line("digits", {});
    world.deafen("Connect Timeout Error");
    await settled();
    await tick(120);
    const scale = look("digits", subject());
    assert.deepEqual([scale?.wanted, scale?.why], [3, "blind"]);
    const { wish } = subject();
    look("digits", subject({ replicas: 3, generation: 2, wish: { ...wish, min: 4 } }));
    await tick();
    assert.equal(look("digits", subject({ replicas: 3, generation: 2 }))?.wanted, 4, "the number may rise");
    assert.match(
      scale?.deaf ?? "",
      /^router berth-router-x does not report its counts \(Connect Timeout Error\): a NetworkPolicy may drop/,
    );
  });

  it("goes on from where another leader has left it: no pod is taken before that was to be", async () => {
    const { look, tick, world } = setUp();
    look("digits", subject({ replicas: 3 }));
    await tick();
    world.line("digits", {});
    await tick(8);
    assert.equal(look("digits", subject())?.wanted, 3);
    await tick(60);
    assert.equal(look("digits", subject())?.wanted, 0);
    assert.deepEqual(world.changed, ["digits", "digits"]);
  });

  it("gives the last device to the older of two, tells the other what is missing, and gives it what comes free", async () => {
    const { look, tick, world } = setUp();
    world.free = 1;
    const [elder, younger] = [subject({ createdAt: 1 }), subject({ createdAt: 2, revisions: ["cats-1"] })];
    look("digits", elder);
    look("cats", younger);
    await tick();
    world.line("cats", {}, "cats-1");
    world.line("digits", {});
    // both in one look
    world.line("cats", { arrived: 1, inFlight: 1 }, "cats-1");
    world.line("digits", { arrived: 1, inFlight: 1 });
    await tick();
    assert.equal(look("digits", elder)?.wanted, 1);
    assert.deepEqual([look("cats", younger)?.wanted, look("cats", younger)?.why], [0, "devices"]);
    assert.equal(look("cats", younger)?.shortage, "1 more nvidia.com/gpu needed (0 free on matching nodes)");
    world.free = 2;
    await tick();
    assert.deepEqual([look("cats", younger)?.wanted, look("cats", younger)?.shortage], [1, undefined]);
  });

  it("asks for one pod at a time where only the scheduler knows whether there is room, and for none where there is none", async () => {
    const { look, tick, world } = setUp();
    world.unclaimed = 3;
    look("digits", subject());
    await tick();
    world.line("digits", {});
    const wanted = async (unclaimed: number, placed: number, arrived: number) => {
      Object.assign(world, { unclaimed, placed });
      world.line("digits", { arrived, crowd: arrived, inFlight: 200, waiting: 200 });
      await tick();
      return look("digits", subject())?.wanted;
    };
    assert.equal(await wanted(3, 0, 20), 1);
    assert.equal(await wanted(3, 0, 40), 1);
    assert.equal(await wanted(2, 1, 60), 2);
    assert.equal(await wanted(0, 2, 80), 2);
    assert.equal(await wanted(5, 2, 100), 3);
    const scale = look("digits", subject());
    assert.equal(scale?.why, "devices");
    assert.match(scale?.shortage ?? "", /^the free capacity for one more pod is unknown; Berth asks for one at a time/);
  });

  it("gives it to the one of the higher priority class, whichever is older", async () => {
    const { look, tick, world } = setUp();
    world.free = 1;
    const urgent = { ...template, priorityClassName: "urgent" };
    const subjects = { digits: subject({ createdAt: 1 }), cats: subject({ createdAt: 2, template: urgent }) };
    for (const [name, one] of Object.entries(subjects)) look(name, one);
    await tick();
    for (const name of ["digits", "cats"]) world.line(name, {});
    for (const name of ["digits", "cats"]) world.line(name, { arrived: 1, inFlight: 1 });
    await tick();
    assert.deepEqual([look("digits", subjects.digits)?.wanted, look("cats", subjects.cats)?.wanted], [0, 1]);
  });

  it("wakes nobody with a device that another one waits for and comes first", async () => {
    const { look, tick, world } = setUp();
    world.free = 0;
    const [elder, younger] = [subject({ createdAt: 1 }), subject({ createdAt: 2, revisions: ["cats-1"] })];
    look("digits", elder);
    look("cats", younger);
    await tick();
    world.line("cats", {}, "cats-1");
    world.line("digits", {});
    world.line("digits", { arrived: 1, waiting: 1 });
    await settled();
    assert.equal(look("digits", elder)?.wanted, 0);
    world.free = 1;
    world.line("cats", { arrived: 1, waiting: 1 }, "cats-1");
    await settled();
    assert.deepEqual([look("cats", younger)?.wanted, look("cats", younger)?.why], [0, "devices"]);
    await tick();
    assert.deepEqual([look("digits", elder)?.wanted, look("cats", younger)?.wanted], [1, 0]);
  });

  it("asks the nodes nothing while nobody wants more pods", async () => {
    const { look, tick, world } = setUp();
    look("digits", subject());
    await tick(50);
    assert.equal(world.surveys, 0);
  });

  it("keeps to the spec at once, also to a floor that is raised", async () => {
    const { look } = setUp();
    look("digits", subject());
    const raised = subject({ wish: { ...subject().wish, min: 2 }, generation: 2 });
    assert.deepEqual([look("digits", raised)?.wanted, look("digits", raised)?.why], [2, "floor"]);
    assert.equal(look("digits", undefined), undefined);
  });

  it("goes on with the others where something is thrown over one of them", async () => {
    const { look, tick, world } = setUp();
    look("bad", subject({ wish: { ...subject().wish, min: 1 } }));
    look("good", subject());
    world.pods.set("bad", new Proxy<Pod[]>([], { get: () => assert.fail("a pod that nobody can read") }));
    await tick();
    assert.deepEqual(world.failed, ["bad"]);
    world.line("good", {});
    world.line("good", { arrived: 1, crowd: 1, waiting: 1 });
    await settled();
    assert.equal(look("good", subject())?.wanted, 1);
    await tick(3);
    assert.deepEqual(world.failed, ["bad", "bad", "bad", "bad"]);
  });

  it("lets the event loop turn while it looks at many of them", async () => {
    const { look, tick } = setUp();
    for (let i = 0; i < 200; i++) look(`digits-${i}`, subject());
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await tick();
    isOver = true;
    assert.ok(turns >= 200 / 25 - 1, `${turns} turns`);
  });
});
