import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { coresFault } from "./cores.ts";
import { specSchema } from "./spec.ts";

const model = { uri: "https://models.example.com/a.onnx" };
const spec = (requests: unknown, limits: unknown) =>
  specSchema.safeParse({ model, resources: { requests: { cpu: requests }, limits: { cpu: limits } } });

describe("cores", () => {
  it("are numbers and quantities as a pod's are, and no more of them than a machine has", () => {
    for (const cpu of [0.5, 2, 0, ".5", "5.", "+1", "1e9", "100u", "500m"])
      assert.ok(spec(cpu, undefined).success, String(cpu));
    for (const cpu of [-0.5, 1e6, "-1", "1e10", "1e30", "", "m", "1 ", true, null, [1], {}])
      assert.ok(!spec(cpu, undefined).success, String(cpu));
  });

  it("that are asked for are not above their limit, however either is written", () => {
    const fault = (requests: unknown, limits: unknown) => coresFault(spec(requests, limits).data ?? {});
    assert.equal(fault(0.5, "500m"), undefined);
    assert.equal(fault("1e-1", ".1"), undefined);
    assert.equal(fault(2, undefined), undefined);
    assert.match(fault(0.5, "499m") ?? "", /^spec\.resources\.requests\.cpu: must not be above/);
  });
});
