import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReady, statusOf, waitFor } from "../world/model-deployment.ts";
import { modelDeployment, useWorld } from "./world.ts";

const PER_NODE = 4;

describe("a node's devices", () => {
  const { world, namespace } = useWorld("e2e-devices");
  const name = "on-device";
  const key = { namespace, name };
  const spec = (minReplicas: number) => ({
    server: { executionProvider: "cpu" },
    accelerator: { vendor: "nvidia", count: 1 },
    scaling: { minReplicas },
  });

  it("taken away: what is lost waits, the message says for what; given back: it heals", async () => {
    await world().apply([modelDeployment(name, spec(2 * PER_NODE))], namespace);
    await waitFor(world().cluster, key, "ready on every device", isReady);

    await world().cluster.devices(1, 0);
    // The kubelet leaves running pods alone when their device goes; a pod that is lost then cannot come back.
    const { stdout } = await world().cluster.kubectl([
      ...["get", "pods", "-n", namespace, "--field-selector=spec.nodeName=node1", "-o", "name"],
    ]);
    const lost = stdout.trim().split("\n").at(0) ?? "";
    assert.match(lost, /^pod\//);
    await world().cluster.kubectl(["delete", lost, "-n", namespace, "--wait=false"]);
    const waiting = await waitFor(
      world().cluster,
      key,
      "waiting for a device",
      (seen) =>
        seen.status.stable?.ready === 2 * PER_NODE - 1 &&
        /\(node0 lacks 1: 0 of 4 free; node1 lacks \d: 0 of 0 free\)/.test(seen.status.message ?? ""),
    );
    assert.notEqual(statusOf(waiting, "Ready"), "True");
    assert.equal(statusOf(waiting, "Stalled"), "absent");

    await world().cluster.devices(1, PER_NODE);
    await waitFor(world().cluster, key, "healed", isReady);
  });
});
