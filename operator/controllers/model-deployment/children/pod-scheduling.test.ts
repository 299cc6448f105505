import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ModelDeploymentSpec } from "../../../api/v1alpha1/index.ts";
import { podScheduling } from "./pod-scheduling.ts";

type Given = Pick<ModelDeploymentSpec, "accelerator" | "scheduling">;

const render = (given: Given) =>
  podScheduling("digits", "digits-12345678", { model: { uri: "https://models.example.com/a.onnx" }, ...given });
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
    assert.deepEqual(render({ scheduling: { nodeSelector: {}, tolerations: [], topologySpread: [] } }), {});
  });

  for (const [name, accelerator, expected] of labels)
    it(`by node labels: ${name}`, () => assert.deepEqual(nodeLabels(accelerator), expected));

  it("the user's tolerations come after those that devices imply", () => {
    const tolerations = [{ key: "dedicated", value: "inference" }, { operator: "Exists" as const }];
    assert.deepEqual(render({ accelerator: nvidia, scheduling: { tolerations } }).tolerations, [
      { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
      { operator: "Equal", key: "dedicated", value: "inference" },
      { operator: "Exists" },
    ]);
  });

  it("an empty value is none, as the API server stores it", () => {
    const tolerations = [{ key: "dedicated", value: "", effect: "NoExecute" as const, tolerationSeconds: 0 }];
    assert.deepEqual(render({ scheduling: { tolerations } }).tolerations, [
      { operator: "Equal", key: "dedicated", effect: "NoExecute", tolerationSeconds: 0 },
    ]);
  });

  it("pods of one revision spread among themselves", () => {
    const topologySpread = [{ topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" as const }];
    const [constraint] = render({ scheduling: { topologySpread } }).topologySpreadConstraints ?? [];
    assert.equal(constraint?.maxSkew, 1);
    assert.equal(constraint?.labelSelector?.matchLabels?.["berth.dev/revision"], "digits-12345678");
  });

  it("classes and node labels are passed on", () => {
    const scheduling = { nodeSelector: { pool: "" }, priorityClassName: "high", runtimeClassName: "nvidia" };
    assert.deepEqual(render({ scheduling }), scheduling);
  });
});
