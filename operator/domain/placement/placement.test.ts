import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { waitingOf } from "../../cluster/capacity/survey.ts";
import type { Node, Pod } from "../../platform/kube/objects.ts";
import { admits } from "./admits.ts";
import type { Devices } from "./claimed.ts";
import { fits as fitting, takes, without } from "./fits.ts";
import { amountsOf, ONE, type PodSpec, requestOf } from "./request.ts";
import { rivalOf } from "./rival.ts";
import { type Room, roomsOf, type Taken, take } from "./room.ts";
import { shortagesOf } from "./shortage.ts";
import { inSlices, type Sliced } from "./slices.ts";

const atOnce = <T>(work: Sliced<T>): T => {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
};
const fits = (...of: Parameters<typeof fitting>): number | undefined => atOnce(fitting(...of));

const container = (requests: Record<string, string>, more: { restartPolicy?: string } = {}) => ({
  name: "c",
  resources: { requests },
  ...more,
});
const room = (more: Partial<Room> = {}): Room => ({
  node: "n",
  labels: {},
  taints: [],
  total: new Map(),
  free: new Map(),
  ...more,
});
const pod = (spec: Partial<PodSpec> = {}): PodSpec => ({ containers: [], ...spec });
const affinity = (...terms: { key: string; operator: string; values?: string[] }[][]): PodSpec =>
  pod({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: terms.map((matchExpressions) => ({ matchExpressions })),
        },
      },
    },
  });

describe("what a pod takes", () => {
  const cpu = (spec: PodSpec) => Number(requestOf(spec).get("cpu")) / Number(ONE);

  it("is the sum of its containers, or the largest init container, and one of the node's pods", () => {
    const containers = [container({ cpu: "1" }), container({ cpu: "500m" })];
    assert.equal(cpu({ containers, initContainers: [container({ cpu: "1" })] }), 1.5);
    assert.equal(cpu({ containers, initContainers: [container({ cpu: "2" }), container({ cpu: "1" })] }), 2);
    assert.equal(requestOf({ containers }).get("pods"), ONE);
  });

  it("has sidecars beside the containers, and beside the init containers that come after them", () => {
    const sidecar = container({ cpu: "1" }, { restartPolicy: "Always" });
    const containers = [container({ cpu: "1" })];
    assert.equal(cpu({ containers, initContainers: [sidecar] }), 2);
    assert.equal(cpu({ containers, initContainers: [sidecar, container({ cpu: "3" })] }), 4);
    assert.equal(cpu({ containers, initContainers: [container({ cpu: "3" }), sidecar] }), 3);
  });

  it("is what the pod asks for where it says so, and its runtime class's overhead comes on top", () => {
    const containers = [container({ cpu: "1" })];
    assert.equal(cpu({ containers, resources: { requests: { cpu: "3" } }, overhead: { cpu: "250m" } }), 3.25);
    const devices = { containers: [container({ "nvidia.com/gpu": "2" })], resources: { requests: { cpu: "3" } } };
    assert.equal(requestOf(devices).get("nvidia.com/gpu"), 2n * ONE);
  });

  it("is what adding up the containers one by one gives, sidecars and what begins before them too", () => {
    const requests = fc.dictionary(
      fc.constantFrom("cpu", "memory", "a.example/x", "b.example/y"),
      fc.nat(9).map(String),
    );
    const one = fc.record({ restartPolicy: fc.constantFrom("Always", undefined), requests });
    const summed = (some: readonly Record<string, string>[], name: string) =>
      some.reduce((sum, each) => sum + Number(each[name] ?? 0), 0);
    fc.assert(
      fc.property(fc.array(one, { maxLength: 6 }), fc.array(requests, { maxLength: 4 }), (before, together) => {
        const initContainers = before.map(({ requests: asked, restartPolicy }) =>
          container(asked, restartPolicy === undefined ? {} : { restartPolicy }),
        );
        const spec = { initContainers, containers: together.map((asked) => container(asked)) };
        const beside = (end: number) =>
          before.slice(0, end).flatMap((each) => (each.restartPolicy === "Always" ? [each.requests] : []));
        for (const [name, amount] of requestOf(spec)) {
          if (name === "pods") continue;
          const phases = before.map(({ requests: asked, restartPolicy }, at) =>
            summed(restartPolicy === "Always" ? beside(at + 1) : [...beside(at), asked], name),
          );
          const most = Math.max(summed([...beside(before.length), ...together], name), ...phases);
          assert.equal(Number(amount) / Number(ONE), most, name);
        }
      }),
    );
  });

  it("is read whatever its spelling, and counted in whole units and thousandths of a core, rounded up", () => {
    const asked = requestOf({ containers: [container({ cpu: "100u", memory: "18e9" }), container({ memory: ".5" })] });
    assert.equal(asked.get("cpu"), ONE / 1000n);
    assert.equal(asked.get("memory"), (18n * 10n ** 9n + 1n) * ONE);
  });

  describe("while it is resized", () => {
    const asks = { containers: [container({ cpu: "1" })] };
    const held = (cpu: string, allocated = cpu) => [
      {
        ...{ name: "c", image: "", imageID: "", ready: true, restartCount: 0 },
        resources: { requests: { cpu } },
        allocatedResources: { cpu: allocated },
      },
    ];
    const refused = (reason: string) => [{ type: "PodResizePending", status: "True", reason }];
    const taken = (spec: PodSpec, status: NonNullable<Pod["status"]>) =>
      Number(requestOf(spec, status).get("cpu")) / Number(ONE);

    it("is the most of what it asks for, what is set aside and what it has", () => {
      assert.equal(taken(asks, { containerStatuses: held("500m") }), 1);
      assert.equal(taken(asks, { containerStatuses: held("2", "500m") }), 2);
      assert.equal(taken(asks, { containerStatuses: held("500m", "3") }), 3);
      assert.equal(taken(asks, { containerStatuses: held("500m"), conditions: refused("Deferred") }), 1);
    });

    it("is not what the node has refused for good", () => {
      const greedy = { containers: [container({ cpu: "1000" })] };
      assert.equal(taken(greedy, { containerStatuses: held("10m"), conditions: refused("Infeasible") }), 0.01);
      assert.equal(taken(greedy, { conditions: refused("Infeasible") }), 1000);
    });

    it("holds for sidecars, and for what the pod itself asks for, but not for init containers that end", () => {
      const initial = (restartPolicy?: string) => ({
        initContainers: [container({ cpu: "2" }, restartPolicy === undefined ? {} : { restartPolicy })],
        containers: [],
      });
      const conditions = refused("Infeasible");
      assert.equal(taken(initial("Always"), { initContainerStatuses: held("1"), conditions }), 1);
      assert.equal(taken(initial(), { initContainerStatuses: held("1"), conditions }), 2);
      const whole = { ...asks, resources: { requests: { cpu: "9" } } };
      const resources = { requests: { cpu: "4" } };
      assert.equal(taken(whole, { resources, allocatedResources: { cpu: "5" }, conditions }), 5);
      assert.equal(taken(whole, { resources }), 9);
    });
  });
});

describe("what nodes have left", () => {
  it("is what they give pods, less what those take that are not over", () => {
    const node: Node = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "n" },
      spec: { unschedulable: true },
      status: { allocatable: { "nvidia.com/gpu": "4", pods: "110" } },
    };
    const on = (phase: string): Pod => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: phase },
      spec: { nodeName: "n", containers: [container({ "nvidia.com/gpu": "3" })] },
      status: { phase },
    });
    const taken: Taken = new Map();
    for (const phase of ["Running", "Failed", "Succeeded", "Pending"]) take(taken, on(phase));
    const [left] = atOnce(roomsOf([node], taken));
    assert.equal(left?.free.get("nvidia.com/gpu"), -2n * ONE);
    assert.equal(left.free.get("pods"), 108n * ONE);
    assert.equal(admits(left, pod()), false);
  });

  it("is added up in slices, for as many nodes and resources as there may be", () => {
    const allocatable = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`example.com/r${i}`, "9"]));
    let [read, most, total] = [0, 0, 0];
    const nodes = Array.from({ length: 1000 }, (_, i): Node => {
      const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: `n${i}` } };
      const get = () => {
        read++;
        return { allocatable };
      };
      return Object.defineProperty(node, "status", { get });
    });
    for (const work = roomsOf(nodes, new Map()); work.next().done !== true; read = 0) {
      most = Math.max(most, read);
      total += read;
    }
    assert.equal(total + read, 1000);
    assert.ok(most * 40 <= 600, `${most} nodes in one go`);
  });

  it("does not shrink by what a pod was refused in place", () => {
    const node: Node = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "n" },
      status: { allocatable: { cpu: "8" } },
    };
    const greedy: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "nb" },
      spec: { nodeName: "n", containers: [container({ cpu: "1000" })] },
      status: {
        phase: "Running",
        conditions: [{ type: "PodResizePending", status: "True", reason: "Infeasible" }],
        containerStatuses: [
          {
            ...{ name: "c", image: "", imageID: "", ready: true, restartCount: 0 },
            resources: { requests: { cpu: "10m" } },
            allocatedResources: { cpu: "10m" },
          },
        ],
      },
    };
    const taken: Taken = new Map();
    take(taken, greedy);
    assert.equal(atOnce(roomsOf([node], taken))[0]?.free.get("cpu"), 7_990_000_000n);
  });
});

describe("whether a node takes a pod", () => {
  it("by its taints", () => {
    const tainted = room({ taints: [{ key: "gpu", value: "a", effect: "NoSchedule" }] });
    const tolerating = (...tolerations: NonNullable<PodSpec["tolerations"]>) => admits(tainted, pod({ tolerations }));
    assert.equal(tolerating(), false);
    assert.equal(tolerating({ key: "gpu", value: "a" }), true);
    assert.equal(tolerating({ key: "gpu", value: "b" }), false);
    assert.equal(tolerating({ key: "gpu", operator: "Exists", effect: "NoExecute" }), false);
    assert.equal(tolerating({ operator: "Exists" }), true);
    assert.equal(admits(room({ taints: [{ key: "gpu", effect: "PreferNoSchedule" }] }), pod()), true);
    const aged = (operator: string, value: string) =>
      admits(
        room({ taints: [{ key: "age", value: "30", effect: "NoSchedule" }] }),
        pod({ tolerations: [{ operator, value }] }),
      );
    for (const [operator, value, expected] of [
      ["Lt", "31", true],
      ["Lt", "30", false],
      ["Gt", "29", true],
      ["Gt", "30", false],
      ["Gt", "x", false],
      ["In", "30", false],
      ["Equal", "30", true],
    ] as const)
      assert.equal(aged(operator, value), expected, `${operator} ${value}`);
  });

  it("by its labels", () => {
    const labelled = room({ labels: { pool: "a", "gpu.memory": "24000", large: "9007199254740993" } });
    assert.equal(admits(labelled, pod({ nodeSelector: { pool: "a" } })), true);
    assert.equal(admits(labelled, pod({ nodeSelector: { pool: "b" } })), false);
    for (const [expression, expected] of [
      [{ key: "pool", operator: "In", values: ["a", "b"] }, true],
      [{ key: "none", operator: "In", values: ["a"] }, false],
      [{ key: "pool", operator: "NotIn", values: ["a"] }, false],
      [{ key: "none", operator: "NotIn", values: ["a"] }, true],
      [{ key: "pool", operator: "Exists" }, true],
      [{ key: "pool", operator: "DoesNotExist" }, false],
      [{ key: "gpu.memory", operator: "Gt", values: ["23999"] }, true],
      [{ key: "gpu.memory", operator: "Gt", values: ["24000"] }, false],
      [{ key: "gpu.memory", operator: "Lt", values: ["24001"] }, true],
      [{ key: "pool", operator: "Gt", values: ["1"] }, false],
      [{ key: "large", operator: "Gt", values: ["9007199254740992"] }, true],
      [{ key: "large", operator: "Lt", values: ["99999999999999999999"] }, false],
      [{ key: "constructor", operator: "Exists" }, false],
      [{ key: "toString", operator: "DoesNotExist" }, true],
    ] as const) {
      const { values, ...rest } = { values: undefined, ...expression };
      const one = values === undefined ? rest : { ...rest, values: [...values] };
      assert.equal(admits(labelled, affinity([one])), expected, JSON.stringify(expression));
    }
    const [a, none] = [
      { key: "pool", operator: "Exists" },
      { key: "none", operator: "Exists" },
    ];
    assert.equal(admits(labelled, affinity([a, none])), false);
    assert.equal(admits(labelled, affinity([none], [a])), true);
    assert.equal(admits(labelled, affinity([])), false);
  });
});

describe("how many more pods fit", () => {
  const onGpu = (gpus: number, rest: Partial<PodSpec> = {}): PodSpec => ({
    containers: [{ name: "c", resources: { requests: { "nvidia.com/gpu": `${gpus}`, cpu: "1" } } }],
    ...rest,
  });
  const left = (node: string, gpus: number, cpus: number, labels = {}): Room => ({
    ...{ node, labels, taints: [], total: new Map() },
    free: new Map([
      ["nvidia.com/gpu", BigInt(gpus) * ONE],
      ["cpu", BigInt(cpus) * ONE],
      ["pods", 10n * ONE],
    ]),
  });

  it("is what each node has left of all that they ask for, where it takes them", () => {
    const rooms = [left("a", 4, 2), left("b", 1, 8), left("c", 8, 8, { zone: "far" }), left("d", -1, 8)];
    assert.equal(fits(rooms, onGpu(1), 100), 11);
    assert.equal(fits(rooms, onGpu(2), 100), 6);
    assert.equal(fits(rooms, onGpu(1, { nodeSelector: { zone: "far" } }), 100), 8);
    assert.equal(fits(rooms, onGpu(1), 3), 3);
    assert.equal(fits([], onGpu(1), 3), 0);
  });

  describe("by dynamic resource allocation", () => {
    const claiming: Partial<PodSpec> = { resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }] };
    const onClaim = pod({ containers: [container({ cpu: "1" })], ...claiming });
    const offers = (unclaimed: number | undefined, offered: Devices["offered"] = new Set(["nvidia.com/gpu"])) => ({
      ...left("dra", 0, 8),
      devices: { offered, unclaimed },
    });

    it("is not known where there are devices that claims may get, and none where there are none", () => {
      for (const unclaimed of [undefined, 1, 7, Number.POSITIVE_INFINITY])
        assert.equal(fits([offers(unclaimed)], onClaim, 2), undefined, String(unclaimed));
      assert.equal(fits([left("a", 4, 8)], onClaim, 2), undefined);
      assert.equal(fits([offers(0)], onClaim, 2), 0);
      const two = [...(claiming.resourceClaims ?? []), { name: "nic", resourceClaimTemplateName: "one-nic" }];
      assert.equal(fits([offers(1)], { ...onClaim, resourceClaims: two }, 2), 0);
      const common = { ...onClaim, resourceClaims: [{ name: "gpu", resourceClaimName: "common" }] };
      assert.equal(fits([offers(0)], common, 2), undefined);
    });

    it("is none where there is too little of the rest", () => {
      assert.equal(fits([offers(7)], pod({ containers: [container({ cpu: "9" })], ...claiming }), 2), 0);
      assert.equal(fits([offers(7)], { ...onClaim, nodeSelector: { zone: "far" } }, 2), 0);
    });

    it("of a resource that a class offers, is not known on nodes that offer none themselves", () => {
      assert.equal(fits([offers(7)], onGpu(1), 2), undefined);
      assert.equal(fits([offers(1)], onGpu(2), 2), 0);
      assert.equal(fits([offers(7, undefined)], onGpu(1), 2), undefined);
      assert.equal(fits([offers(7, new Set())], onGpu(1), 2), 0);
      const plugged: Room = { ...offers(7), ...left("a", 1, 8), total: amountsOf({ "nvidia.com/gpu": "4" }) };
      assert.equal(fits([plugged], onGpu(1), 2), 1);
      assert.equal(fits([plugged, offers(7)], onGpu(1), 2), undefined);
      assert.equal(fits([plugged, offers(7)], onGpu(1), 1), 1);
    });

    it("is less with each pod that is given some of it", () => {
      const rest = without(offers(3), requestOf(onGpu(2)));
      assert.deepEqual([rest.devices?.unclaimed, takes(rest, requestOf(onGpu(2)))], [1, "no"]);
      assert.equal(without(rest, requestOf(onClaim)).devices?.unclaimed, 0);
    });
  });

  it("and who else waits for them, on a node that both could have", async () => {
    const waiting = (name: string, spec: PodSpec, labels = {}) => waitingOf({ namespace: "other", name, labels }, spec);
    const rooms = [left("a", 0, 2), left("c", 0, 8, { zone: "far" })];
    const cpuOnly: PodSpec = { containers: [{ name: "c", resources: { requests: { cpu: "9" } } }] };
    const owner = { namespace: "other", name: "digits" };
    const rival = (some: Parameters<typeof waiting>) =>
      inSlices(rivalOf({ rooms, waiting: [waiting(...some)] }, onGpu(1), owner));
    assert.equal(await rival(["x", onGpu(1)]), "other/x");
    assert.equal(await rival(["x", cpuOnly]), undefined);
    assert.equal(await rival(["x", onGpu(1), { "berth.dev/model-deployment": "digits" }]), undefined);
    assert.equal(await rival(["x", onGpu(1, { nodeSelector: { zone: "nowhere" } })]), undefined);
  });

  it("which is looked for in slices, among as many pods and nodes as there may be", () => {
    const rooms = Array.from({ length: 1000 }, (_, i) => left(`n${i}`, 0, 1));
    const waiting = Array.from({ length: 200 }, (_, i) =>
      waitingOf({ namespace: "other", name: `p${i}` }, onGpu(1, { nodeSelector: { zone: `nowhere-${i}` } })),
    );
    let slices = 1;
    const work = rivalOf({ rooms, waiting }, onGpu(1), { namespace: "a", name: "digits" });
    while (work.next().done !== true) slices++;
    assert.ok(slices >= (200 * 1000) / 500, `${slices} slices`);
    const alike = waiting.map((one) => ({ ...one, choice: { containers: [], nodeSelector: { zone: "nowhere" } } }));
    const short = rivalOf({ rooms, waiting: alike }, onGpu(1), { namespace: "a", name: "digits" });
    for (slices = 1; short.next().done !== true; ) slices++;
    assert.ok(slices <= 10, `${slices} slices`);
  });
});

describe("by how much a pod does not fit", () => {
  it("on the nodes that would take it, the nearest first", () => {
    const spec = pod({ containers: [container({ cpu: "4" })], nodeSelector: { pool: "a" } });
    const at = (node: string, cpu: string, pool = "a") =>
      room({ node, labels: { pool }, free: amountsOf({ cpu }), total: amountsOf({ cpu: "8" }) });
    const found = shortagesOf([at("far", "1"), at("near", "3"), at("fits", "4"), at("else", "0", "b")], spec, "cpu");
    assert.deepEqual(found, [
      { node: "near", lacks: ONE, free: 3n * ONE, total: 8n * ONE },
      { node: "far", lacks: 3n * ONE, free: ONE, total: 8n * ONE },
    ]);
  });
});
