import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { startLoad } from "../world/client.ts";
import { conditionOf, isReady, isStalled, statusOf, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, inferBody, question } from "../world/reference.ts";
import { ANGLE, modelDeployment, useWorld } from "./world.ts";

describe("a canary", () => {
  const { world, namespace } = useWorld("e2e-rollout");
  const key = { namespace, name: "moving" };
  // how long a machine that does a hundred other things takes is no test of how fast a verdict on latency comes
  const analysis = { latency: { mode: "off" } };
  const steps = [{ weight: "40%" }, { weight: "60%" }];
  const rollout = { strategy: "canary", steps, stepDuration: { min: "10s" }, analysis };
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const applied = (spec: Record<string, unknown> = {}) =>
    world().apply([modelDeployment(key.name, { scaling: { minReplicas: 2 }, rollout, ...spec })], namespace);
  const seen = (what: string, holds: Parameters<typeof waitFor>[3]) => waitFor(world().cluster, key, what, holds);
  const loaded = async (url: string | undefined) => {
    const { upright } = await question(192);
    return startLoad(world().cluster, {
      url: `${url}/v2/models/moving/infer`,
      ...{ body: inferBody(upright), expected: await answerHere(ANGLE_FILE, upright), perSecond: 25 },
    });
  };

  it("that is as good as stable is promoted by evidence, and no request fails", async () => {
    await applied();
    const before = await seen("ready", isReady);
    const report = await loaded(before.status.url);
    await applied({ server: { requestTimeout: "20s" } });
    const trial = await seen("on trial", (object) => conditionOf(object, "Ready")?.reason === "RollingOut");
    assert.equal(trial.status.stable?.revision, before.status.stable?.revision);
    const after = await seen(
      "on the new revision",
      (object) => isReady(object) && object.status.stable?.revision !== before.status.stable?.revision,
    );
    assert.equal(after.status.canary, undefined);
    const { answered, failures } = await report.stop();
    assert.deepEqual(failures, []);
    assert.ok(answered > 100, `${answered} requests were answered`);
  });

  it("without traffic is held, and the message says what is missing; a command promotes it", async () => {
    const before = await seen("ready", isReady);
    await applied({ server: { requestTimeout: "25s" } });
    const held = await seen("held", (object) =>
      /go to .*; (not enough evidence|no requests)/.test(object.status.message ?? ""),
    );
    assert.equal(held.status.stable?.revision, before.status.stable?.revision);
    const name = z.object({ name: z.string() }).parse(held.status.rollout).name;
    const record = () => kubectl("get", "modelrollout", name);
    assert.match(await record(), /MODEL +FROM +TO +STEP +WEIGHT +STATE +EVIDENCE/);
    assert.match(await record(), /moving +moving-\S+ +moving-\S+ +1\/2 +40% +Progressing/);
    // by hand, then: paused, and promoted though nothing is proved
    const order = (word: string) => kubectl("annotate", "modelrollout", name, `berth.dev/action=${word}`);
    await order("pause");
    await seen("paused", (object) => /paused by a command: 40 %/.test(object.status.message ?? ""));
    await order("resume");
    await seen("resumed", (object) => /step 1 of 2: 40 %/.test(object.status.message ?? ""));
    await order("promote");
    const after = await seen("promoted", isReady);
    assert.notEqual(after.status.stable?.revision, before.status.stable?.revision);
    assert.match(await record(), /Promoted/);
    // one that has ended does nothing more, and one that is not there is told so
    await order("abort");
    const told = /abort has no effect: the rollout has ended/;
    const events = () =>
      kubectl("get", "events", "--field-selector", `involvedObject.name=${name},reason=CommandRefused`);
    await eventually("told that abort does nothing", async () => told.test(await events()), events);
    await assert.rejects(kubectl("annotate", "modelrollout", "moving-0-1", "berth.dev/action=abort"), /not found/);
  });

  it("is aborted by a command, and the next one is not", async () => {
    const before = await seen("ready", isReady);
    await applied({ server: { requestTimeout: "26s" } });
    const trial = await seen("on trial", (object) => /40 % of the requests go to/.test(object.status.message ?? ""));
    const { name } = z.object({ name: z.string() }).parse(trial.status.rollout);
    await kubectl("annotate", "modelrollout", name, "berth.dev/action=abort");
    const aborted = await seen("aborted", isStalled);
    assert.match(aborted.status.message ?? "", /aborted by a command/);
    assert.equal(aborted.status.stable?.revision, before.status.stable?.revision);
    await applied({ server: { requestTimeout: "25s" } });
    await seen("ready again", isReady);
  });

  it("that does not load is not taken, stays so through a way there and back, and stable is untouched", async () => {
    const before = await seen("ready", isReady);
    const { uid } = before.metadata;
    const broken = { model: { uri: ANGLE.replace("angle", "unloadable") } };
    await applied(broken);
    const stalled = await seen("stalled", isStalled);
    assert.equal(conditionOf(stalled, "Stalled")?.reason, "RolledBack");
    assert.match(stalled.status.message ?? "", /was rolled back: ModelInvalid: .*; moving-.* still serves/);
    assert.equal(statusOf(stalled, "Available"), "True");
    await applied({ server: { requestTimeout: "25s" } });
    const back = await seen("ready again", isReady);
    assert.deepEqual([back.status.stable?.revision, back.metadata.uid], [before.status.stable?.revision, uid]);
    await applied(broken);
    const again = await seen("stalled again", isStalled);
    assert.equal(again.status.canary, undefined, "it is not tried again");
    const report = await loaded(again.status.url);
    await report.underWay();
    const { failures } = await report.stop();
    assert.deepEqual(failures, []);
    // unless somebody says so; and it is no better than it was
    const names = await kubectl("get", "modelrollouts", "-o", "name", "--sort-by=.metadata.creationTimestamp");
    const last = names.trim().split("\n").at(-1) ?? "";
    await kubectl("annotate", last, "berth.dev/action=retry");
    const attempts = async () => (await kubectl("get", "modelrollouts", "-o", "name")).trim().split("\n").length;
    const attempted = names.trim().split("\n").length;
    await eventually("another attempt", async () => (await attempts()) > attempted, attempts);
    assert.equal(await attempts(), attempted + 1);
    await seen("rejected again", isStalled);
  });

  it("that runs out of memory is not taken; one that finds no node waits for it, beyond its time", async () => {
    const before = await seen("with a stable revision", ({ status }) => status.stable?.ready === 2);
    const refused = async (spec: Record<string, unknown>, why: RegExp) => {
      await applied(spec);
      const stalled = await seen("rejected", (object) => isStalled(object) && why.test(object.status.message ?? ""));
      assert.match(stalled.status.message ?? "", /was rolled back/);
      assert.equal(stalled.status.stable?.revision, before.status.stable?.revision);
      assert.equal(statusOf(stalled, "Available"), "True");
      // a probe of a busy node may have failed for a moment
      await seen("with all of stable's pods", ({ status }) => status.stable?.ready === 2);
    };
    await refused({ resources: { limits: { memory: "48Mi" } } }, /OutOfMemory|CrashLooping/);
    const nowhere = { vendor: "nvidia", products: ["NVIDIA-Z9"] };
    const nobody = { accelerator: nowhere, server: { executionProvider: "cpu" } };
    const since = Date.now();
    await applied({ ...nobody, rollout: { ...rollout, progressDeadline: "20s" } });
    const waiting = await seen(
      "waiting longer than its deadline",
      ({ status }) => /wait for a node/.test(status.message ?? "") && Date.now() - since > 40_000,
    );
    assert.equal(isStalled(waiting), false, waiting.status.message);
    assert.equal(statusOf(waiting, "Available"), "True");
    await applied({ server: { requestTimeout: "25s" } });
    await seen("ready again", isReady);
  });

  it("is refused with settings that cannot be meant", async () => {
    const refused = (spec: Record<string, unknown>, message: RegExp) =>
      assert.rejects(world().apply([modelDeployment("refused", spec)], namespace), message);
    const refusedSteps = (...weights: string[]) => ({
      rollout: { strategy: "canary", steps: weights.map((weight) => ({ weight })) },
    });
    await refused(refusedSteps("50%", "20%"), /each weight must be larger than the one before/);
    await refused(refusedSteps("20%", "20%"), /each weight must be larger than the one before/);
    await refused(refusedSteps("101%"), /weight: must be from 1% to 100%/);
    await refused(refusedSteps(), /steps/);
    await refused(refusedSteps(...Array.from({ length: 21 }, (_, i) => `${i + 1}%`)), /at most 20/);
    await refused(
      { rollout: { strategy: "canary", stepDuration: { min: "2h", max: "1h" } } },
      /min must not be longer than max/,
    );
    await refused({ rollout: { strategy: "canary", stepDuration: { min: "2h" } } }, /min must not be longer than max/);
    await refused({ rollout: { steps: [{ weight: "5%" }] } }, /need strategy canary/);
    await refused({ rollout: { strategy: "shadow", steps: [{ weight: "5%" }] } }, /need strategy canary/);
    await refused({ rollout: { paused: true } }, /need strategy canary, shadow or blueGreen/);
    await refused({ rollout, traffic: { path: "direct" } }, /need the router/);
    const analysed = (strategy: string, analysis: object) => ({ rollout: { strategy, analysis } });
    await refused(analysed("blueGreen", { errors: { floor: "1%" } }), /compared by strategy canary only/);
    await refused(analysed("shadow", { outputs: { mode: "report" } }), /shadow decides by the outputs/);
    await refused(analysed("canary", { outputs: { shadow: "0%" } }), /shadow: must be from 1% to 100%/);
    const tolerance = (some: object) => analysed("canary", { outputs: { tolerances: [{ output: "y", ...some }] } });
    await refused(tolerance({ match: "close", k: 2 }), /k: needs match topK/);
    await refused(tolerance({ match: "equal", least: "99%" }), /least: needs match cosine/);
    await refused(tolerance({ match: "topK", relative: "1%" }), /absolute and relative need match close/);
    await refused({ rollout: { strategy: "canary", capacity: "handover" } }, /handover needs two pods or more/);
    for (const [strategy, capacity] of [
      ["shadow", "swap"],
      ["shadow", "handover"],
      ["blueGreen", "handover"],
    ])
      await refused({ rollout: { strategy, capacity } }, /handover needs strategy canary/);
  });
});
