import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReady, scaleOf } from "../world/model-deployment.ts";
import { useScaledModel } from "./scaled-model.ts";

describe("the number of pods", () => {
  const { applied, load, seen } = useScaledModel("e2e-scaling");

  it("follows the load: from 1 to 4 and back, and no request fails", async () => {
    await applied({ minReplicas: 1, maxReplicas: 4, target: { utilization: "6%" } });
    await seen("ready", isReady);
    await seen("heard", ({ status }) => status.conditions.some(({ reason }) => reason === "RouterMetricsAvailable"));
    const loaded = load({ count: 1000, perSecond: 20 });
    await seen("four pods", (object) => object.status.stable?.ready === 4 && isReady(object));
    const { answered, failures } = await loaded;
    assert.deepEqual([answered, failures], [1000, []]);
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
