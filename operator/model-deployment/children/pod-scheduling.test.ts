import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { podScheduling } from "./pod-scheduling.ts";

type Given = Pick<ModelDeploymentSpec, "accelerator">;

const render = (given: Given) => podScheduling({ model: { uri: "https://models.example.com/a.onnx" }, ...given });
const nodeLabels = (accelerator: NonNullable<Given["accelerator"]>) =>
  render({ accelerator }).affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0]
    ?.matchExpressions;

const nvidia = { vendor: "nvidia" } as const;
const product = { key: "nvidia.com/gpu.product", operator: "In", values: ["NVIDIA-L4", "Tesla-T4"] };
const strategy = (operator: string, ...values: string[]) => ({
  key: "nvidia.com/gpu.sharing-strategy",
  operator,
  values,
});
const exclusive = strategy("NotIn", "mps", "time-slicing");

const labels: [string, NonNullable<Given["accelerator"]>, object[] | undefined][] = [
  ["a device is a whole one", nvidia, [exclusive]],
  ["products", { ...nvidia, products: ["Tesla-T4", "NVIDIA-L4"] }, [product, exclusive]],
  [
    "memory in MiB, at least",
    { ...nvidia, memory: "20Gi" },
    [{ key: "nvidia.com/gpu.memory", operator: "Gt", values: ["20479"] }, exclusive],
  ],
  ["time slices", { ...nvidia, sharing: "timeSlicing" }, [strategy("In", "time-slicing")]],
  ["MPS", { ...nvidia, sharing: "mps" }, [strategy("In", "mps")]],
  ["a slice's resource says it all", { ...nvidia, sharing: "mig", mig: { profile: "1g.10gb" } }, undefined],
  ["so does a resource of the user's", { ...nvidia, resourceName: "nvidia.com/gpu.shared" }, undefined],
  ["and a claim", { ...nvidia, claims: [{ name: "gpu", resourceClaimName: "a" }] }, undefined],
  ["amd", { vendor: "amd" }, undefined],
];

describe("where pods may run", () => {
  it("without a word, wherever the scheduler wants", () => {
    assert.deepEqual(render({}), {});
  });

  for (const [name, accelerator, expected] of labels)
    it(`by node labels: ${name}`, () => assert.deepEqual(nodeLabels(accelerator), expected));

  it("the taint of NVIDIA's devices is tolerated", () => {
    assert.deepEqual(render({ accelerator: nvidia }).tolerations, [
      { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
    ]);
  });
});
