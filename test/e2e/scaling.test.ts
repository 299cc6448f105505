import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Burst, burst } from "../world/burst.ts";
import { isReady, type Seen, scaleOf, waitFor } from "../world/model-deployment.ts";
import { modelDeployment, useWorld } from "./world.ts";

const PATIENCE_SECONDS = 300;

describe("the number of pods", () => {
  const { world, namespace } = useWorld("e2e-scaling");
  const key = { namespace, name: "scaled" };
  const url = `http://scaled.${namespace}.svc/v2/models/scaled/infer`;
  const applied = (scaling: object, spec: object = {}) =>
    world().apply(
      [
        modelDeployment(key.name, {
          model: { uri: "http://models.berth-models.svc:8080/lookup-slow.onnx" },
          scaling,
          ...spec,
        }),
      ],
      namespace,
    );
  const seen = (what: string, holds: (object: Seen) => boolean) =>
    waitFor(world().cluster, key, what, holds, PATIENCE_SECONDS);
  const load = (options: Omit<Burst, "url">) => burst(world().cluster, { url, ...options });

  it("follows the load: from 1 to 4 and back, and no request fails", async () => {
    await applied({ minReplicas: 1, maxReplicas: 4, target: { utilization: "6%" } });
    await seen("ready", isReady);
    await seen("heard", ({ status }) => status.conditions.some(({ reason }) => reason === "Heard"));
    const loaded = load({ count: 800, perSecond: 20 });
    await seen("four pods", (object) => object.status.stable?.ready === 4 && isReady(object));
    const { answered, failures } = await loaded;
    assert.deepEqual([answered, failures], [800, []]);
    await seen("one pod again", (object) => scaleOf(object).wanted === 1 && scaleOf(object).replicas === 1);
  });

  it("goes to zero when nobody asks, and 200 requests at once are all answered", async () => {
    await applied({ minReplicas: 0, maxReplicas: 4, idleBeforeZero: "10s", target: { utilization: "60%" } });
    await seen("asleep", (object) => scaleOf(object).replicas === 0 && isReady(object));
    const { answered, failures } = await load({ count: 200, sockets: 200 });
    assert.deepEqual([answered, failures], [200, []]);
    await seen("asleep again", (object) => scaleOf(object).replicas === 0 && isReady(object));
  });
});
