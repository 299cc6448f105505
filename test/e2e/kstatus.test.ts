/** What GitOps tools see of a ModelDeployment's life: every version of it that the API server serves is judged as they do. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge } from "../conformance/kstatus/judge.ts";
import { isReady, isStalled, waitFor } from "../world/model-deployment.ts";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import { record } from "../world/record.ts";
import { modelDeployment, useWorld } from "./world.ts";

/** kstatus's words, and what Argo CD must say at the same time. */
const AGREES: Record<string, string[]> = {
  InProgress: ["Progressing"],
  Current: ["Healthy"],
  Failed: ["Degraded"],
  Terminating: ["Progressing"],
};

describe("kstatus and Argo CD, from creation to deletion", () => {
  const { world, namespace } = useWorld("e2e-kstatus");
  const key = { namespace, name: "judged" };
  const put = (spec: Record<string, unknown> = {}) => world().apply([modelDeployment("judged", spec)], namespace);
  const kubectl = (...args: string[]) => world().cluster.kubectl([...args, "-n", namespace]);
  const until = (what: string, holds: typeof isReady) => waitFor(world().cluster, key, what, holds);

  it("each version is judged alike, and no state is passed twice", async () => {
    const { stop } = record(world().cluster.hostKubeconfig, namespace);
    await put();
    await kubectl("wait", "modeldeployment/judged", "--for=condition=Ready", `--timeout=${CLUSTER_PATIENCE_S}s`);
    await until("ready", isReady);
    await put({ server: { requestTimeout: "20s" } });
    const updated = await until("ready on a new revision", isReady);
    await put({ model: { uri: "http://models.berth-models.svc:8080/unloadable.onnx" } });
    await until("stalled", isStalled);
    await put({ server: { requestTimeout: "20s" } });
    const back = await until("ready again", isReady);
    assert.equal(back.status.stable?.revision, updated.status.stable?.revision);
    await kubectl("delete", "modeldeployment/judged", "--cascade=foreground", `--timeout=${CLUSTER_PATIENCE_S}s`);

    const versions = await stop();
    const verdicts = await judge(versions, console.log);
    for (const [i, { kstatus, health }] of verdicts.entries()) {
      const said = `kstatus says ${kstatus}, Argo CD ${health}: ${JSON.stringify(versions[i]?.status)}`;
      assert.ok(AGREES[kstatus]?.includes(health), said);
    }
    const states = verdicts.map(({ kstatus }) => kstatus);
    assert.deepEqual(
      states.filter((state, i) => state !== states[i - 1]),
      [
        "InProgress",
        "Current",
        "InProgress",
        "Current",
        "InProgress",
        "Failed",
        "InProgress",
        "Current",
        "Terminating",
      ],
    );
  });
});
