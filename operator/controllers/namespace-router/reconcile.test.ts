import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ModelDeployment } from "../../api/v1alpha1/index.ts";
import { signed } from "../../apply/signature.ts";
import { type AskRouter, together } from "../../cluster/routers/routers.ts";
import { routerBinding } from "./children/account.ts";
import { planRouter } from "./plan.ts";
import { isNewsForRouter } from "./reconcile.ts";

const model = (rest: {
  generation?: number;
  uid?: string;
  status?: ModelDeployment["status"];
  path?: "router";
}): ModelDeployment => {
  const { generation = 1, path = "router", status, uid = "1" } = rest;
  return {
    ...{
      apiVersion: "berth.dev/v1alpha1",
      kind: "ModelDeployment",
      metadata: { name: "digits", namespace: "a", generation, uid },
    },
    spec: { model: { uri: "https://models.example.com/digits.onnx" }, traffic: { path } },
    ...(status === undefined ? {} : { status }),
  };
};

describe("the router of a namespace", () => {
  it("is looked at again when a spec changes, or who needs it, and not with each status", () => {
    const updated = (old: ModelDeployment, object: ModelDeployment) =>
      isNewsForRouter({ type: "updated", old, object });
    const told = { observedGeneration: 1, message: "1 pod serves" };
    assert.equal(updated(model({}), model({ status: told })), false);
    assert.equal(updated(model({}), model({ generation: 2 })), true);
    assert.equal(updated(model({}), model({ uid: "2" })), true);
    const going = model({});
    going.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
    assert.equal(updated(model({}), going), true);
    assert.equal(isNewsForRouter({ type: "added", object: model({}), initial: true }), true);
    assert.equal(isNewsForRouter({ type: "deleted", old: model({}) }), true);
  });

  it("is bound anew when its role is another, for a roleRef cannot be changed", () => {
    const users = [model({})];
    const others = { deployment: undefined, account: undefined, budget: undefined, policy: undefined };
    const observed = { namespace: "a", users, ...others };
    const role = { kind: "ClusterRole", name: "berth-operator-router" } as const;
    const writes = (now: { kind: "ClusterRole" | "Role"; name: string }) => {
      const binding = signed(routerBinding(observed, role));
      const resources = { requests: {}, limits: {} };
      const image = { runtimeImage: "r", runtimeImagePullPolicy: "Never" };
      return planRouter({ ...observed, binding }, { ...image, operatorNamespace: "o", resources, role: now })
        .actions.filter(({ resource }) => resource.kind === "RoleBinding")
        .map(({ verb }) => verb);
    };
    assert.deepEqual(writes(role), []);
    assert.deepEqual(writes({ kind: "Role", name: role.name }), ["delete"]);
    assert.deepEqual(writes({ kind: "ClusterRole", name: "renamed" }), ["delete"]);
  });

  it("is asked once where many want to know the same, and again a moment later", async () => {
    let now = 0;
    const asked: string[] = [];
    const ask: AskRouter = (address) => {
      asked.push(address);
      return Promise.resolve({ started: "s", models: {} });
    };
    const shared = together(ask, () => now);
    await Promise.all([shared("r1"), shared("r1"), shared("r2")]);
    now = 249;
    await shared("r1");
    assert.deepEqual(asked, ["r1", "r2"]);
    now = 250;
    await shared("r1");
    assert.deepEqual(asked, ["r1", "r2", "r1"]);
  });
});
