import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startLoad } from "../world/client.ts";
import { isReady, isStalled, statusOf, waitFor } from "../world/model-deployment.ts";
import { ANGLE_FILE, answerHere, inferBody, question } from "../world/reference.ts";
import { ANGLE, modelDeployment, useWorld } from "./world.ts";

describe("an update of a running deployment", () => {
  const { world, namespace } = useWorld("e2e-update");
  const key = { namespace, name: "busy" };
  // A query with what JSON encoders escape in different ways, as pre-signed addresses have.
  const model = { uri: `${ANGLE}?part=<1>&of=1` };
  const answered = async () => {
    const { upright } = await question(192);
    return { body: inferBody(upright), expected: await answerHere(ANGLE_FILE, upright) };
  };

  it("to a new revision, under constant load, fails not one request", async () => {
    await world().apply([modelDeployment("busy", { model, scaling: { minReplicas: 2 } })], namespace);
    const before = await waitFor(world().cluster, key, "ready", isReady);
    const { body, expected } = await answered();
    const loaded = startLoad(world().cluster, {
      url: `${before.status.url}/v2/models/busy/infer`,
      ...{ body, expected, perSecond: 25 },
    });
    await loaded.underWay();
    await world().apply(
      [modelDeployment("busy", { model, scaling: { minReplicas: 2 }, server: { requestTimeout: "20s" } })],
      namespace,
    );
    const after = await waitFor(
      world().cluster,
      key,
      "on a new revision",
      (seen) => isReady(seen) && seen.status.stable?.revision !== before.status.stable?.revision,
    );
    assert.equal(after.status.canary, undefined);
    const report = await loaded.stop();
    assert.deepEqual(report.failures, []);
    assert.ok(report.answered > 50, `${report.answered} requests were answered`);
  });

  it("to a model that does not load leaves the stable revision serving, and going back clears the error", async () => {
    const stable = (await waitFor(world().cluster, key, "ready", isReady)).status.stable?.revision;
    await world().apply(
      [
        modelDeployment("busy", {
          model: { uri: "http://models.berth-models.svc:8080/unloadable.onnx" },
          scaling: { minReplicas: 2 },
        }),
      ],
      namespace,
    );
    const stalled = await waitFor(world().cluster, key, "stalled", isStalled);
    assert.equal(stalled.status.stable?.revision, stable);
    assert.equal(statusOf(stalled, "Available"), "True");
    await world().apply(
      [modelDeployment("busy", { model, scaling: { minReplicas: 2 }, server: { requestTimeout: "20s" } })],
      namespace,
    );
    const back = await waitFor(world().cluster, key, "ready again", isReady);
    assert.equal(back.status.stable?.revision, stable);
    assert.equal(statusOf(back, "Stalled"), "absent");
  });

  it("of the number of replicas scales the same revision", async () => {
    const { uid } = (await waitFor(world().cluster, key, "ready", isReady)).metadata;
    await world().apply(
      [modelDeployment("busy", { model, scaling: { minReplicas: 3 }, server: { requestTimeout: "20s" } })],
      namespace,
    );
    const scaled = await waitFor(world().cluster, key, "three replicas", (seen) => seen.status.stable?.ready === 3);
    assert.equal(scaled.metadata.uid, uid);
    assert.equal(scaled.status.canary, undefined);
  });
});
