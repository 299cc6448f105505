import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "../world/client.ts";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { killOperator } from "./operator-process.ts";
import { modelDeployment, useWorld } from "./world.ts";

describe("the operator killed with -9", () => {
  const { world, namespace } = useWorld("e2e-killed");
  /** It may be about to be started again. */
  const killWhatRuns = async (): Promise<void> => {
    await eventually("an operator that is killed", async () => (await killOperator(world())) > 0);
  };

  it("at moments all through a create and an update, ends where an undisturbed one does", async () => {
    const name = "survivor";
    await world().apply([modelDeployment(name)], namespace);
    // 200 ms apart at first: between the first writes; later ones fall into the waits.
    let killed = 0;
    for (const wait of [200, 400, 1500]) {
      await sleep(wait);
      killed += await killOperator(world());
    }
    assert.ok(killed > 0, "no operator was found to be killed");
    const first = await waitFor(world().cluster, { namespace, name }, "ready", isReady);
    await world().apply([modelDeployment(name, { server: { requestTimeout: "20s" } })], namespace);
    await sleep(700);
    await killWhatRuns();
    const second = await waitFor(
      world().cluster,
      { namespace, name },
      "on the new revision",
      (seen) => isReady(seen) && seen.status.stable?.revision !== first.status.stable?.revision,
    );
    const { stdout } = await world().cluster.kubectl([
      ...["get", "deployments", "-n", namespace, "-l", `berth.dev/model-deployment=${name}`, "-o", "name"],
    ]);
    const deployments = stdout.trim().split("\n");
    assert.ok(deployments.includes(`deployment.apps/${second.status.stable?.revision}`), stdout);
    assert.ok(deployments.length <= 2, `the old revision's Deployment may still be retiring: ${stdout}`);
  });

  it("does not disturb what serves", async () => {
    const { status } = await waitFor(world().cluster, { namespace, name: "survivor" }, "ready", isReady);
    await killWhatRuns();
    const health = await request(world().cluster, `${status.url}/v2/health/ready`);
    assert.equal(health.status, 200);
  });
});
