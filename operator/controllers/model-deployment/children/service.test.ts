import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorld } from "../../../../test/simulation/world.ts";
import type { ModelDeploymentSpec } from "../../../api/v1alpha1/index.ts";
import { DEPLOYMENTS, SERVICES } from "../../../platform/kube/resources.ts";

const model = { uri: "https://models.example.com/one.onnx" };
type Users = NonNullable<ModelDeploymentSpec["service"]>;

describe("the clients' Service", () => {
  const world = createWorld();
  const serve = async (service: Users | undefined): Promise<void> => {
    world.put({ model, ...(service === undefined ? {} : { service }) });
    await world.settle();
  };
  const metadata = () => world.get(SERVICES, "digits")?.metadata;

  it("has the labels and annotations of spec.service, below Berth's own", async () => {
    const labels = { team: "a", "app.kubernetes.io/managed-by": "me" };
    await serve({ labels, annotations: { note: "x" } });
    assert.equal(metadata()?.labels?.team, "a");
    assert.equal(metadata()?.labels?.["app.kubernetes.io/managed-by"], "berth");
    assert.equal(metadata()?.annotations?.note, "x");
  });

  it("loses those that leave the spec, and gains new ones, without a new revision", async () => {
    await serve({ labels: { other: "b" } });
    assert.deepEqual([metadata()?.labels?.team, metadata()?.labels?.other], [undefined, "b"]);
    assert.equal(metadata()?.annotations?.note, undefined);
    await serve(undefined);
    assert.equal(metadata()?.labels?.other, undefined);
    assert.equal(metadata()?.labels?.["app.kubernetes.io/managed-by"], "berth");
    assert.equal(world.all(DEPLOYMENTS).length, 1);
  });

  it("comes to rest", async () => {
    await serve({ labels: { team: "a" } });
    const before = world.writes.length;
    await world.settle();
    assert.equal(world.writes.length, before);
  });
});
