import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReady, isStalled, type Seen, waitFor } from "../world/model-deployment.ts";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import { startProber } from "../world/prober.ts";
import { modelDeployment, useWorld } from "./world.ts";

/** How much pods differ that are the same is learnt meanwhile: some seven minutes on a quiet machine, and no event before its end. */
const PATIENCE_SECONDS = 4 * CLUSTER_PATIENCE_S;

describe("a canary that is half as slow again", () => {
  const { world, namespace } = useWorld("e2e-rollout-latency");
  const key = { namespace, name: "lookup" };
  const rollout = { strategy: "canary", steps: [{ weight: "50%" }], stepDuration: { min: "10s", max: "2h" } };
  const applied = (file: string) =>
    world().apply(
      [
        modelDeployment(key.name, {
          ...{ model: { uri: `http://models.berth-models.svc:8080/${file}.onnx` }, rollout },
          scaling: { minReplicas: 3 },
        }),
      ],
      namespace,
    );
  const seen = (what: string, holds: (object: Seen) => boolean) =>
    waitFor(world().cluster, key, what, holds, PATIENCE_SECONDS);

  it("is rejected by its latency, and no request fails", async () => {
    await applied("lookup-slow");
    const before = await seen("ready", isReady);
    const prober = startProber(world().cluster, {
      ...{ url: `http://lookup.${namespace}.svc`, model: key.name, perSecond: 15, entries: 32 },
      mostSeconds: PATIENCE_SECONDS,
    });
    await applied("lookup-slower");
    const after = await seen(
      "decided",
      (object) => isStalled(object) || object.status.stable?.revision !== before.status.stable?.revision,
    );
    assert.match(after.status.message ?? "", /regressed on latency/);
    assert.equal(after.status.stable?.revision, before.status.stable?.revision);
    await prober.stopUnharmed();
  });
});
