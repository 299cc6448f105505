/** What a user may do to a ModelDeployment, and where it must end, whatever happens to the operator meanwhile. */
import { setTimeout as sleep } from "node:timers/promises";
import { PODS } from "../../../operator/platform/kube/resources.ts";
import { type Arena, isSettled, NAME } from "./arena.ts";
import { OURS } from "./end-state.ts";

export type Scenario = {
  name: string;
  /** What is there before; no fault happens meanwhile. */
  prepare(arena: Arena): Promise<void>;
  act(arena: Arena): Promise<void>;
  /** Resolves when it has come where it must. */
  end(arena: Arena): Promise<void>;
};

const ANGLE = "http://models.berth-models.svc:8080/angle.onnx";
const spec = (requestTimeout: string, minReplicas = 1): object => ({
  model: { uri: ANGLE },
  server: { requestTimeout },
  scaling: { minReplicas },
});
const FIRST = spec("30s");
const SECOND = spec("20s");

const settled = (arena: Arena, replicas = 1) => arena.until("settled", isSettled(arena, replicas));
const start = async (arena: Arena): Promise<void> => {
  await arena.apply(FIRST);
  await settled(arena);
};

const DEVICES = 4;
const withDevice = { ...FIRST, server: { executionProvider: "cpu" }, accelerator: { vendor: "nvidia", count: 1 } };

export const SCENARIOS: readonly Scenario[] = [
  { name: "create", prepare: async () => undefined, act: (arena) => arena.apply(FIRST), end: settled },
  { name: "update", prepare: start, act: (arena) => arena.apply(SECOND), end: settled },
  {
    name: "scale",
    prepare: start,
    act: (arena) => arena.apply(spec("30s", 2)),
    end: (arena) => settled(arena, 2),
  },
  {
    name: "delete",
    prepare: start,
    act: (arena) => arena.remove(),
    end: (arena) => arena.until("gone, with all that was made for it", async () => (await leftOvers(arena)) === 0),
  },
  {
    name: "recreate",
    prepare: start,
    act: async (arena) => {
      await arena.remove();
      await arena.apply(SECOND);
    },
    end: settled,
  },
  {
    name: "devices",
    prepare: async (arena) => {
      await arena.apply(withDevice);
      await settled(arena);
    },
    act: async (arena) => {
      const { cluster } = arena.world;
      await Promise.all(cluster.nodes.map((_, node) => cluster.devices(node, 0)));
      try {
        const [pod] = await arena.list(PODS);
        await cluster.kubectl(["delete", "pod", pod?.metadata.name ?? "", "-n", arena.namespace, "--wait=false"]);
        await arena.until("waiting for a device", (seen) => /nvidia\.com\/gpu/.test(seen?.status?.message ?? ""));
      } finally {
        await Promise.all(cluster.nodes.map((_, node) => cluster.devices(node, DEVICES)));
      }
    },
    end: settled,
  },
];

const leftOvers = async ({ list }: Arena): Promise<number> => {
  const all = await Promise.all([...OURS, PODS].map((kind) => list(kind)));
  return all.flat().filter(({ metadata }) => metadata.name.startsWith(NAME)).length;
};

/** Resolves when the operator has not written for so long: what it does by itself is done. */
export const quiet = async (lastWriteAt: () => number, ms = 2500): Promise<void> => {
  while (performance.now() - lastWriteAt() < ms) await sleep(50);
};
