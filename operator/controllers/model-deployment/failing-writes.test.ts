/** Writes that fail: each by itself, and never the status. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorld, NAME } from "../../../test/simulation/world.ts";
import { findCondition } from "../../api/v1alpha1/index.ts";
import { errorFromStatus } from "../../platform/kube/errors.ts";
import { NETWORK_POLICIES, SERVICES } from "../../platform/kube/resources.ts";

const spec = { model: { uri: "https://models.example.com/a.onnx" } };
const webhook = 'Internal error occurred: failed calling webhook "policies.example.com": connection refused';

describe("a write that fails", () => {
  it("of a webhook that is down is told of, with the pods that run", async () => {
    const world = createWorld();
    world.refuses = (write) =>
      write.includes("NetworkPolicy") ? errorFromStatus("create NetworkPolicy", 500, { message: webhook }) : undefined;
    world.put(spec);
    await world.settle();
    const status = world.deployment().status;
    const ready = findCondition(status?.conditions, "Ready");
    assert.equal(ready?.reason, "AdmissionDenied");
    assert.match(ready?.message ?? "", /repair the service behind webhook policies\.example\.com/);
    assert.equal(findCondition(status?.conditions, "Stalled"), undefined);
    assert.equal(status?.stable?.ready, 1);
    assert.notEqual(world.get(SERVICES, NAME), undefined);
  });

  it("for a reason that nobody knows is thrown once the status is written, and the other writes done", async () => {
    const world = createWorld();
    world.refuses = (write) =>
      write.includes("NetworkPolicy") ? errorFromStatus("create NetworkPolicy", 500, { message: "boom" }) : undefined;
    world.put(spec);
    for (let pass = 0; pass < 10; pass += 1) {
      await world.reconcile().catch((error: unknown) => assert.match(String(error), /boom/));
      world.act();
      world.now += 1000;
    }
    await assert.rejects(world.reconcile(), /boom/);
    assert.equal(world.deployment().status?.stable?.ready, 1);
    assert.notEqual(world.get(SERVICES, NAME), undefined);
    assert.equal(world.get(NETWORK_POLICIES, NAME), undefined);
  });

  it("names every stranger at once", async () => {
    const world = createWorld();
    const metadata = { name: NAME, namespace: "default" };
    const options = { fieldManager: "kubectl" };
    await world.client.create(SERVICES, { apiVersion: "v1", kind: "Service", metadata }, options);
    const policy = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata };
    await world.client.create(NETWORK_POLICIES, policy, options);
    world.put(spec);
    await world.settle();
    const { message } = findCondition(world.deployment().status?.conditions, "Stalled") ?? {};
    assert.match(
      message ?? "",
      /Service digits and NetworkPolicy digits exist and belong to something else; delete them/,
    );
  });
});
