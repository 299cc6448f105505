import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { request } from "../world/client.ts";
import { conditionOf, isReady, isStalled, type Seen, statusOf, waitFor } from "../world/model-deployment.ts";
import { ANGLE, modelDeployment, useWorld } from "./world.ts";

const server = "http://models.berth-models.svc:8080";
const CASES = [
  {
    name: "wrong-checksum",
    spec: { model: { uri: ANGLE, sha256: "0".repeat(64) } },
    reason: "ChecksumMismatch",
    says: /sha256.*0{64}|0{64}.*sha256|checksum/i,
  },
  { name: "not-there", spec: { model: { uri: `${server}/missing.onnx` } }, reason: "ModelNotFound", says: /404/ },
  {
    name: "not-allowed",
    spec: { model: { uri: `${server}/forbidden/angle.onnx` } },
    reason: "ModelForbidden",
    says: /403|credentials/,
  },
  {
    name: "not-a-model",
    spec: { model: { uri: `${server}/broken.onnx` } },
    reason: "ModelInvalid",
    says: /onnx|protobuf/i,
  },
] as const;

describe("what can be wrong with a model", () => {
  const { world, namespace } = useWorld("e2e-failures");

  for (const { name, spec, reason, says } of CASES) {
    it(`${name}: ${reason}`, async () => {
      await world().apply([modelDeployment(name, spec)], namespace);
      const object = await waitFor(world().cluster, { namespace, name }, "stalled", isStalled);
      assert.equal(conditionOf(object, "Stalled")?.reason, reason);
      assert.match(object.status.message ?? "", says);
      assert.equal(statusOf(object, "Ready"), "False");
      assert.equal(object.status.phase, "Degraded");
    });
  }

  it("a file larger than the pod's disk is refused before it is written", async () => {
    const name = "huge";
    await world().apply(
      [
        modelDeployment(name, {
          model: { uri: `${server}/huge/1099511627776` },
          resources: { limits: { "ephemeral-storage": "64Mi" } },
        }),
      ],
      namespace,
    );
    const object = await waitFor(world().cluster, { namespace, name }, "told of the disk", saysDiskFull);
    assert.match(object.status.message ?? "", /1(\.0)? TiB/);
    assert.match(object.status.message ?? "", /64(\.0)? MiB/);
  });

  it("a device product that no node has is named", async () => {
    const name = "no-such-product";
    await world().apply(
      [modelDeployment(name, { accelerator: { vendor: "nvidia", count: 1, products: ["NVIDIA-Z9"] } })],
      namespace,
    );
    const object = await waitFor(world().cluster, { namespace, name }, "told why it waits", (seen) =>
      /node/i.test(seen.status.message ?? ""),
    );
    assert.notEqual(statusOf(object, "Ready"), "True");
  });

  it("an overwritten URI brings no other bytes into a revision", async () => {
    const name = "pinned";
    const uri = `${server}/mutable/model`;
    const put = (to: string) => request(world().cluster, `${uri}?to=${to}`, { method: "PUT" });
    assert.equal((await put("angle.onnx")).status < 300, true);
    await world().apply([modelDeployment(name, { model: { uri } })], namespace);
    const first = await waitFor(
      world().cluster,
      { namespace, name },
      "ready and pinned",
      (seen) => isReady(seen) && seen.status.stable?.modelDigest !== undefined,
    );
    await put("recogniser.onnx");
    await world().cluster.kubectl([
      ...["delete", "pod", "-n", namespace, "-l", `berth.dev/model-deployment=${name}`, "--wait=false"],
    ]);
    const changed = await waitFor(world().cluster, { namespace, name }, "stalled", isStalled);
    assert.equal(conditionOf(changed, "Stalled")?.reason, "ModelChanged");
    assert.equal(changed.status.stable?.modelDigest, first.status.stable?.modelDigest);
  });
});

const saysDiskFull = (object: Seen): boolean => object.status.conditions.some(({ reason }) => reason === "DiskFull");
