import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { installChart, OPERATOR_NAMESPACE, RELEASE } from "../world/helm.ts";
import { ROOT } from "../world/index.ts";
import { conditionOf, isReady, isStalled, waitFor } from "../world/model-deployment.ts";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import { modelDeployment, useWorld } from "./world.ts";

describe("the chart", () => {
  const { world, namespace } = useWorld("e2e-install");
  const operatorPods = async (): Promise<string> =>
    (
      await world().cluster.kubectl([
        "get",
        "pods",
        "-n",
        OPERATOR_NAMESPACE,
        "-o",
        "jsonpath={.items[*].metadata.name}",
      ])
    ).stdout;

  it("passes its own helm test", async () => {
    assert.match(await world().helm(["test", RELEASE, "--namespace", OPERATOR_NAMESPACE]), /Phase:\s+Succeeded/);
  });

  it("installs nothing that may read a Secret, or do everything", async () => {
    const account = `system:serviceaccount:${OPERATOR_NAMESPACE}:berth-operator`;
    const may = async (...what: string[]): Promise<string> =>
      world()
        .cluster.kubectl(["auth", "can-i", ...what, "--as", account, "-A"])
        .then(({ stdout }) => stdout.trim())
        // kubectl says "no" and ends with 1.
        .catch(() => "no");
    assert.equal(await may("get", "modeldeployments.berth.dev"), "yes");
    for (const refused of [
      ["get", "secrets"],
      ["list", "secrets"],
      ["create", "pods/exec"],
      ["update", "modeldeployments.berth.dev"],
    ]) {
      assert.equal(await may(...refused), "no", refused.join(" "));
    }
  });

  it("upgrades without a restart of what serves, and keeps the objects when it is uninstalled", async () => {
    await world().apply([modelDeployment("kept")], namespace);
    const ready = await waitFor(world().cluster, { namespace, name: "kept" }, "ready", isReady);
    const podOf = async (): Promise<string> => {
      const ofKept = ["get", "pods", "-n", namespace, "-l", "berth.dev/model-deployment=kept"];
      return (await world().cluster.kubectl([...ofKept, "-o", "jsonpath={.items[*].metadata.uid}"])).stdout;
    };
    const pods = await podOf();

    const before = await operatorPods();
    await installChart(world().helm, ["logLevel=debug", "runtime.image.tag=of-another-release"]);
    assert.notEqual(await operatorPods(), before);

    // A new deployment takes the operator's new image, which nobody has: the status says so.
    await world().apply([modelDeployment("new")], namespace);
    const waiting = await waitFor(world().cluster, { namespace, name: "new" }, "told of the image", (seen) =>
      /of-another-release/.test(seen.status.message ?? ""),
    );
    assert.equal(conditionOf(waiting, "Ready")?.reason, "ImageUnavailable");

    await world().helm(["uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait"]);
    assert.equal(
      (await world().cluster.kubectl(["get", "mdeploy", "kept", "-n", namespace])).stdout.includes("kept"),
      true,
    );
    await installChart(world().helm);
    const again = await waitFor(world().cluster, { namespace, name: "kept" }, "ready", isReady);
    assert.equal(again.status.stable?.revision, ready.status.stable?.revision);
    assert.equal(await podOf(), pods);
  });

  it("has a twin for kubectl apply -k, which takes everything away with it when it goes", async () => {
    const config = join(ROOT, "config");
    await world().helm(["uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait"]);
    await world().cluster.kubectl(["apply", "-k", config]);
    await world().cluster.kubectl([
      ...["wait", "-n", OPERATOR_NAMESPACE, "deployment/berth-operator"],
      ...["--for=condition=Available", `--timeout=${CLUSTER_PATIENCE_S}s`],
    ]);
    // Plain http is not allowed there, so the spec of what serves may no longer be followed; it serves on.
    const refused = await waitFor(world().cluster, { namespace, name: "kept" }, "refused", isStalled);
    assert.equal(conditionOf(refused, "Stalled")?.reason, "HttpNotAllowed");
    assert.equal(conditionOf(refused, "Available")?.status, "True");
    await world().cluster.kubectl(["delete", "-k", config, `--timeout=${CLUSTER_PATIENCE_S}s`]);
    const left = ["get", "customresourcedefinitions,clusterroles,namespaces", "-o", "name"];
    assert.doesNotMatch((await world().cluster.kubectl(left)).stdout, /berth\.dev|berth-operator|berth-system/);
  });
});
