/** A ModelDeployment in each state that its status knows: what the shipped reconciler writes in the small Kubernetes of test/simulation. */
import type { ModelDeployment, ModelDeploymentSpec } from "../../../operator/api/v1alpha1/index.ts";
import { KubeError } from "../../../operator/platform/kube/errors.ts";
import { createWorld, type World } from "../../simulation/world.ts";

export type StateOf = {
  title: string;
  object: ModelDeployment;
  /** By kstatus's rules, and by Argo CD with our health script. */
  kstatus: "Current" | "InProgress" | "Failed" | "Terminating";
  health: "Healthy" | "Progressing" | "Degraded";
};

const spec = (file: string): ModelDeploymentSpec => ({ model: { uri: `https://models.example.com/${file}.onnx` } });

const inWorld = async (act: (world: World) => Promise<void>): Promise<ModelDeployment> => {
  const world = createWorld();
  world.put(spec("one"));
  await act(world);
  return world.deployment();
};

const serving = (then: (world: World) => Promise<void> = async () => undefined) =>
  inWorld(async (world) => {
    await world.settle();
    await then(world);
  });

const refused = (status: number) => (write: string) =>
  write.startsWith("create Deployment")
    ? new KubeError("refused", { kind: status === 403 ? "retryable" : "terminal", reason: "Test", status })
    : undefined;

export const states = async (): Promise<StateOf[]> => {
  const progressing = { kstatus: "InProgress", health: "Progressing" } as const;
  const healthy = { kstatus: "Current", health: "Healthy" } as const;
  const degraded = { kstatus: "Failed", health: "Degraded" } as const;
  const ready = await serving();
  return [
    { title: "not seen by the operator", object: await inWorld(async () => undefined), ...progressing },
    {
      title: "the first revision is starting",
      object: await inWorld(async (world) => {
        world.fate = () => ({ ready: false });
        await world.settle();
      }),
      ...progressing,
    },
    { title: "serving", object: ready, ...healthy },
    {
      title: "serving, and the spec has changed since",
      object: await serving(async (world) => world.put(spec("two"))),
      ...progressing,
    },
    {
      title: "a new revision is starting beside the stable one",
      object: await serving(async (world) => {
        world.fate = () => ({ ready: false });
        world.put(spec("two"));
        await world.settle();
      }),
      ...progressing,
    },
    {
      title: "updated",
      object: await serving(async (world) => {
        world.put(spec("two"));
        await world.settle();
      }),
      ...healthy,
    },
    {
      title: "scaling",
      object: await serving(async (world) => {
        world.fate = (_revision, pod) => ({ ready: pod === 0 });
        world.put({ ...spec("one"), scaling: { minReplicas: 3 } });
        await world.settle();
      }),
      ...progressing,
    },
    {
      title: "a spec that this operator does not allow",
      object: await inWorld(async (world) => {
        world.settings = { ...world.settings, allowHttpModels: false };
        world.put({ model: { uri: "http://models.example.com/one.onnx" } });
        await world.settle();
      }),
      ...degraded,
    },
    {
      title: "a write that can never be taken",
      object: await inWorld(async (world) => {
        world.refuses = refused(422);
        await world.settle();
      }),
      ...degraded,
    },
    {
      title: "a write that may be taken later, as with a quota",
      object: await inWorld(async (world) => {
        world.refuses = refused(403);
        await world.settle();
      }),
      ...progressing,
    },
    {
      title: "being deleted",
      object: { ...ready, metadata: { ...ready.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } },
      kstatus: "Terminating",
      health: "Progressing",
    },
  ];
};
