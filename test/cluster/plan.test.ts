import assert from "node:assert/strict";
import { test } from "node:test";
import { controlPlane, everyNode } from "./components/index.ts";
import { nodeNetwork } from "./networks.ts";
import { addressesOf, deviceLabels, deviceList, isClusterName, nodeAt, planCluster } from "./plan.ts";

const plan = planCluster("/state", "dev1", 4, 3);

test("every node has its own address, pod range, namespace and cgroup", () => {
  assert.deepEqual(plan.nodes[1], {
    index: 1,
    name: "node1",
    directory: "/state/dev1/node1",
    address: "10.89.0.2",
    podRange: "10.244.1.0/24",
    networkNamespace: "berth-dev1-1",
    cgroup: "/berth-dev-dev1/node1",
    product: { name: "NVIDIA-L4", memoryMiB: 23034 },
  });
  for (const key of ["address", "podRange", "networkNamespace", "cgroup", "directory"] as const) {
    assert.equal(new Set(plan.nodes.map((node) => node[key])).size, 4, key);
  }
  assert.equal(new Set(plan.nodes.map((node) => node.product.name)).size, 4);
});

test("a cluster of both families has ranges of both, the first one first, and routes for them", () => {
  const both = planCluster("/state", "dev1", 2, 0, {}, "ipv6,ipv4");
  assert.deepEqual(addressesOf(both, nodeAt(both, 1)), ["fd89::2", "10.89.0.2"]);
  assert.deepEqual(addressesOf(plan, nodeAt(plan, 1)), ["10.89.0.2"]);
  assert.deepEqual(
    nodeNetwork(both, nodeAt(both, 1)).filter((line) => line.includes("::")),
    [
      "addr add fd89::2/64 dev fabric nodad",
      "route add fd44:0:0:0::/64 via fd89::1",
      "route add fd96::/112 dev fabric src fd89::2",
      "route add unreachable ::/0",
    ],
  );
  for (const component of [...controlPlane, ...everyNode]) {
    const words = component.command(both, nodeAt(both, 1), { machine: "/m", cniPlugins: "/cni" });
    for (const word of words) assert.doesNotMatch(word, /undefined|,,|=,|,$/);
  }
});

test("a node that is not there is refused by its number", () => {
  assert.throws(() => nodeAt(planCluster("/state", "dev1", 2, 0), 2), /no node 2: its nodes are 0 to 1/);
});

test("names that could not be part of an interface's or a namespace's name are refused", () => {
  assert.deepEqual(["berth", "a1", "12345678"].map(isClusterName), [true, true, true]);
  assert.deepEqual(["", "Berth", "a-b", "123456789", "../x", "a b"].map(isClusterName), Array(6).fill(false));
});

test("the first devices of a list are the unhealthy ones", () => {
  const node = nodeAt(plan, 1);
  assert.equal(deviceList(node, 3, 1), "GPU-node1-0 unhealthy\nGPU-node1-1\nGPU-node1-2\n");
  assert.equal(deviceList(node, 0, 0), "");
});

test("a node without devices has no labels that name one", () => {
  const node = nodeAt(plan, 3);
  assert.deepEqual(deviceLabels(node, 0), {});
  assert.equal(deviceLabels(node, 2)["nvidia.com/gpu.memory"], "81559");
  assert.equal(deviceLabels(node, 2)["nvidia.com/gpu.count"], "2");
});

test("a node routes to the pods of all others, to Services, and nowhere else", () => {
  const routes = nodeNetwork(plan, nodeAt(plan, 2)).filter((line) => line.startsWith("route"));
  assert.deepEqual(routes, [
    "route add 10.244.0.0/24 via 10.89.0.1",
    "route add 10.244.1.0/24 via 10.89.0.2",
    "route add 10.244.3.0/24 via 10.89.0.4",
    "route add 10.96.0.0/16 dev fabric src 10.89.0.3",
    "route add unreachable default",
  ]);
});
