import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { request } from "../world/client.ts";
import { inferOverGrpc } from "../world/grpc.ts";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { ANGLE_FILE, answerHere, distance, INPUT, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

// The pods' processor may differ from this machine's by more than rounding of the last digit on other clusters.
const TOLERANCE = 1e-5;

describe("what spec.server says", () => {
  const { world, namespace } = useWorld("e2e-server");

  it("batching: calls over gRPC share runs, of no more than maxBatchSize, and each has its own answer", async () => {
    const batching = { maxBatchSize: 4, maxDelay: "20ms" };
    await world().apply([modelDeployment("batched", { server: { batching } })], namespace);
    const object = await waitFor(world().cluster, { namespace, name: "batched" }, "ready", isReady);
    const url = object.status.url ?? assert.fail("it has no address");
    const { upright } = await question(192);
    const expected = await answerHere(ANGLE_FILE, upright);
    const at = { address: `${new URL(url).hostname}:8081`, model: "batched" };
    for (const answer of await inferOverGrpc(world().cluster, at, { name: INPUT, ...upright }, 60)) {
      assert.ok(distance(answer, expected) < TOLERANCE);
    }
    const { body } = await request(world().cluster, `${url}/v2/models/batched/stats`);
    const sizes: number[] = JSON.parse(body).model_stats[0].batch_stats.map(
      (one: { batch_size: number }) => one.batch_size,
    );
    assert.ok(Math.max(...sizes) > 1 && Math.max(...sizes) <= 4, `batches of ${sizes}`);
  });
});
