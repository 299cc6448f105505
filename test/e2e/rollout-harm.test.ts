import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { request } from "../world/client.ts";
import { conditionOf, isReady, isStalled, type Seen, waitFor } from "../world/model-deployment.ts";
import { startProber } from "../world/prober.ts";
import { modelDeployment, useWorld } from "./world.ts";

const server = "http://models.berth-models.svc:8080";

describe("a canary that does harm", () => {
  const { world, namespace } = useWorld("e2e-rollout-harm");
  const key = { namespace, name: "lookup" };
  // latency is another file's: what a busy machine does to it takes minutes to tell from what a version does
  const analysis = { latency: { mode: "off" }, outputs: { shadow: "50%" } };
  const rollout = { strategy: "canary", steps: [{ weight: "50%" }], stepDuration: { min: "10s" }, analysis };
  const applied = (file: string, settings: Record<string, unknown> = rollout) =>
    world().apply([modelDeployment(key.name, { model: { uri: `${server}/${file}` }, rollout: settings })], namespace);
  const seen = (what: string, holds: (object: Seen) => boolean) => waitFor(world().cluster, key, what, holds);
  const probed = (entries = 20) =>
    startProber(world().cluster, {
      ...{ url: `http://lookup.${namespace}.svc`, model: key.name, perSecond: 40, entries },
    });

  it("by failing one request in twenty is rejected, and no client sees one of them", async () => {
    await applied("lookup.onnx");
    const before = await seen("ready", isReady);
    const prober = probed();
    await applied("lookup-failing.onnx", { ...rollout, analysis: { latency: { mode: "off" } } });
    const after = await seen("rejected", isStalled);
    assert.equal(conditionOf(after, "Stalled")?.reason, "RolledBack");
    assert.match(after.status.message ?? "", /regressed on errors/);
    assert.equal(after.status.stable?.revision, before.status.stable?.revision);
    await prober.stopUnharmed();
  });

  it("by answers that are wrong, at the same speed and without an error, is rejected by copies of requests", async () => {
    const shadow = { strategy: "shadow", stepDuration: { min: "10s" } };
    const prober = probed();
    await applied("lookup-wrong.onnx", shadow);
    const wrong = await seen("rejected", (object) => isStalled(object) && /outputs/.test(object.status.message ?? ""));
    assert.match(wrong.status.message ?? "", /regressed on outputs/);
    // not even the same tensors: named, and the data plane goes on
    await applied("lookup-shape.onnx", shadow);
    const shape = await seen(
      "rejected",
      (object) => isStalled(object) && /such as/.test(JSON.stringify(object.status)),
    );
    assert.match(
      JSON.stringify(shape.status),
      /output .{0,3}y.{0,3} is FP(32|64) \[1\] of stable, FP(32|64) \[1, 1\] of the canary/,
    );
    // and one whose answers are the same is taken, though no client has asked it before
    await applied("lookup-again.onnx", shadow);
    await seen(
      "promoted",
      (object) => isReady(object) && object.status.stable?.revision !== wrong.status.stable?.revision,
    );
    await prober.stopUnharmed();
  });

  it("by NaN in one answer of twenty is rejected as soon as some hundred copies have told", async () => {
    const prober = probed();
    await applied("lookup-nan.onnx", { strategy: "shadow", stepDuration: { min: "10s" } });
    const after = await seen("rejected", (object) => isStalled(object) && /NaN/.test(JSON.stringify(object.status)));
    assert.match(after.status.message ?? "", /regressed on outputs/);
    const [, disagreed = "", compared = ""] =
      /outputs: ([\d,]+) of ([\d,]+) pairs disagree/.exec(JSON.stringify(after.status)) ?? [];
    const [lost, pairs] = [disagreed, compared].map((text) => Number(text.replaceAll(",", "")));
    assert.ok(lost !== undefined && pairs !== undefined && lost > 0 && pairs < 2000, `${lost} of ${pairs}`);
    await applied("lookup-again.onnx");
    await seen("back at stable's spec", isReady);
    await prober.stopUnharmed();
  });

  it("that is green is switched to at once, and no request fails", async () => {
    const before = await seen("ready", isReady);
    const prober = probed();
    await applied("lookup.onnx", { strategy: "blueGreen", stepDuration: { min: "10s" } });
    await seen("switched", (object) => /all requests go to/.test(object.status.message ?? ""));
    await seen(
      "promoted",
      (object) => isReady(object) && object.status.stable?.revision !== before.status.stable?.revision,
    );
    await prober.stopUnharmed();
  });

  it("by a file that is overwritten under it is refused, and so is stable's, whose pods serve on", async () => {
    const [mine, its] = ["mutable/stable", "mutable/canary"];
    const put = (file: string, to: string) =>
      request(world().cluster, `${server}/${file}?to=${to}.onnx`, { method: "PUT" });
    for (const [file, to] of [
      [mine, "lookup"],
      [its, "lookup-again"],
    ] as const)
      assert.ok((await put(file, to)).status < 300);
    await applied(mine, { strategy: "immediate" });
    const before = await seen(
      "ready and pinned",
      (object) => isReady(object) && object.status.stable?.modelDigest !== undefined,
    );
    await applied(its);
    await seen("on trial", (object) => /50 % of the requests go to/.test(object.status.message ?? ""));
    // before, requests went to the pods directly, where gRPC has a port of its own
    const prober = probed();
    for (const file of [mine, its]) await put(file, "lookup-wrong");
    const pods = (revision = "") => ["pod", "-n", namespace, "-l", `berth.dev/revision=${revision}`];
    const canary = await seen("with a canary", (object) => object.status.canary?.modelDigest !== undefined);
    await world().cluster.kubectl(["delete", ...pods(canary.status.canary?.revision), "--wait=false"]);
    const after = await seen(
      "rejected",
      (object) => isStalled(object) && /ModelChanged/.test(object.status.message ?? ""),
    );
    assert.equal(after.status.stable?.revision, before.status.stable?.revision);
    // one pod more of stable finds the other bytes, and serves nothing
    const more = modelDeployment(key.name, {
      model: { uri: `${server}/${mine}` },
      scaling: { minReplicas: 2 },
      rollout,
    });
    await world().apply([more], namespace);
    const scaled = await seen("told", (object) => conditionOf(object, "Ready")?.reason === "ModelChanged");
    assert.equal(scaled.status.stable?.ready, 1);
    await prober.stopUnharmed();
  });
});
