/** Two releases beside each other, each with namespaces of its own, and the chart in the hands of Helm 4. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Appliers, ensureAppliers } from "../appliers/index.ts";
import { CHART, type Helm, helmOf, installChart, OPERATOR_NAMESPACE, RELEASE } from "../world/helm.ts";
import { ROOT } from "../world/index.ts";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import { modelDeployment, useWorld } from "./world.ts";

const OTHER = "other";
const OTHER_NAMESPACE = "berth-other";

describe("releases", () => {
  const { world, namespace: first } = useWorld("e2e-releases-a");
  const { namespace: second } = useWorld("e2e-releases-b");
  const { namespace: third } = useWorld("e2e-releases-c");
  const gone = "e2e-releases-gone";
  let appliers: Appliers;
  before(async () => {
    appliers = await ensureAppliers(console.log);
  });
  const kubectl = async (...args: string[]) => (await world().cluster.kubectl(args)).stdout;
  const helm4: Helm = (args) => helmOf(appliers.helm4, world().cluster.hostKubeconfig)(args);
  const ready = (namespace: string, name = "digits") => waitFor(world().cluster, { namespace, name }, "ready", isReady);
  const watching = (...namespaces: string[]) => [`watchNamespaces={${namespaces.join(",")}}`];
  const installOther = (...settings: string[]) =>
    world().helm([
      ...["upgrade", "--install", OTHER, CHART, "--namespace", OTHER_NAMESPACE, "--create-namespace"],
      ...["--wait", "--timeout", "3m", "--set", "models.allowHttp=true", "--set", "crds.enabled=false"],
      ...settings.flatMap((setting) => ["--set", setting]),
    ]);

  it("serve each its own namespaces, by Roles, a router among them, and touch no other", async () => {
    await world().namespace(gone);
    await installChart(world().helm, watching(first, gone));
    // The second has nothing that is the cluster's.
    await installOther(...watching(second), "rbac.clusterReads=false", "rbac.aggregate=false");
    assert.doesNotMatch(await kubectl("get", "clusterroles,clusterrolebindings", "-o", "name"), /other-berth-operator/);
    const routed = modelDeployment("digits", { traffic: { path: "router" } });
    for (const namespace of [first, second, third]) await world().apply([routed], namespace);
    for (const namespace of [first, second]) {
      await ready(namespace);
      await kubectl(
        "wait",
        "-n",
        namespace,
        "deployment/berth-router",
        "--for=condition=Available",
        `--timeout=${CLUSTER_PATIENCE_S}s`,
      );
      const role = "jsonpath={.roleRef.kind} {.roleRef.name}";
      const [owner, home] =
        namespace === first ? ["berth-operator", OPERATOR_NAMESPACE] : ["other-berth-operator", OTHER_NAMESPACE];
      assert.equal(
        await kubectl("get", "rolebinding", "berth-router", "-n", namespace, "-o", role),
        `Role ${owner}-router:${home}`,
      );
    }
    assert.equal(await kubectl("get", "deployments,controllerrevisions", "-n", third, "-o", "name"), "");
    assert.equal(await kubectl("get", "mdeploy", "digits", "-n", third, "-o", "jsonpath={.status.phase}"), "");
  });

  it("where both look at a namespace, the second leaves what the first serves alone, and says so", async () => {
    await installOther(...watching(first, second));
    const events = ["get", "events.events.k8s.io", "-n", first, "--field-selector", "reason=ManagedElsewhere", "-o"];
    const end = Date.now() + 240_000;
    let note = "";
    while (note === "" && Date.now() < end) {
      note = await kubectl(...events, "jsonpath={.items[*].note}");
      await sleep(1000);
    }
    assert.match(
      note,
      /operator berth-system\/berth-operator serves this ModelDeployment, so operator berth-other\/other-berth-operator/,
    );
    const operator = () => kubectl("get", "mdeploy", "digits", "-n", first, "-o", "jsonpath={.status.operator}");
    assert.equal(await operator(), "berth-system/berth-operator");
    const role = ["get", "rolebinding", "berth-router", "-n", first, "-o", "jsonpath={.roleRef.name}"];
    assert.equal(await kubectl(...role), `berth-operator-router:${OPERATOR_NAMESPACE}`);
    await installOther(...watching(second));
  });

  it("a watched namespace that is deleted holds up no other, also after a restart of the operator", async () => {
    await kubectl("delete", "namespace", gone);
    await kubectl("rollout", "restart", "-n", OPERATOR_NAMESPACE, "deployment/berth-operator");
    await kubectl(
      "rollout",
      "status",
      "-n",
      OPERATOR_NAMESPACE,
      "deployment/berth-operator",
      `--timeout=${CLUSTER_PATIENCE_S}s`,
    );
    await world().apply([modelDeployment("later")], first);
    await ready(first, "later");
  });

  it("whoever has edit in a namespace may use Berth's kinds there, and writes no status", async () => {
    await kubectl("create", "rolebinding", "editor", "-n", first, "--clusterrole=edit", "--user=editor");
    await kubectl("create", "rolebinding", "viewer", "-n", first, "--clusterrole=view", "--user=viewer");
    const may = async (user: string, ...what: string[]) =>
      kubectl("auth", "can-i", ...what, "--as", user, "-n", first)
        .then((answer) => answer.trim())
        // kubectl says "no" and ends with 1.
        .catch(() => "no");
    const answers: [string, string, string[]][] = [
      ["editor", "yes", ["create", "modeldeployments.berth.dev"]],
      ["editor", "yes", ["patch", "modeldeployments.berth.dev", "--subresource=scale"]],
      ["editor", "yes", ["patch", "modelrollouts.berth.dev"]],
      ["editor", "no", ["patch", "modeldeployments.berth.dev", "--subresource=status"]],
      ["editor", "no", ["delete", "modelrollouts.berth.dev"]],
      ["viewer", "yes", ["get", "modeldeployments.berth.dev"]],
      ["viewer", "yes", ["watch", "modelrollouts.berth.dev"]],
      ["viewer", "no", ["patch", "modeldeployments.berth.dev"]],
    ];
    for (const [user, answer, what] of answers)
      assert.equal(await may(user, ...what), answer, `${user} ${what.join(" ")}`);
  });

  it("one takes over all namespaces, by Helm 4, and what serves goes on", async () => {
    const podOf = () =>
      kubectl(
        "get",
        "pods",
        "-n",
        second,
        "-l",
        "berth.dev/model-deployment=digits",
        "-o",
        "jsonpath={.items[*].metadata.uid}",
      );
    const pods = await podOf();
    await world().helm(["uninstall", OTHER, "--namespace", OTHER_NAMESPACE, "--wait"]);
    await installChart(helm4);
    await ready(third);
    // The other's lease is left, and nobody writes to it.
    const taken = "jsonpath={.status.operator}=berth-system/berth-operator";
    await kubectl("wait", "-n", second, "mdeploy/digits", `--for=${taken}`, "--timeout=240s");
    await ready(second);
    assert.equal(await podOf(), pods);
    await helm4(["rollback", RELEASE, "1", "--namespace", OPERATOR_NAMESPACE, "--wait", "--timeout", "3m"]);
  });

  it("Helm 4 takes over what kubectl and another release have left", async () => {
    const take = ["--take-ownership", "--force-conflicts"];
    const install = (name: string, ...flags: string[]) =>
      helm4(["install", name, CHART, "--namespace", OPERATOR_NAMESPACE, "--wait", "--timeout", "3m", ...flags]);
    await helm4(["uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait"]);
    await assert.rejects(install("renamed"), /cannot be imported into the current release|invalid ownership metadata/);
    await install("renamed", "--set", "crds.enabled=false");
    await helm4(["uninstall", "renamed", "--namespace", OPERATOR_NAMESPACE, "--wait"]);

    await kubectl("apply", "-k", join(ROOT, "config"));
    await assert.rejects(install(RELEASE), /cannot be imported into the current release|invalid ownership metadata/);
    await install(RELEASE, ...take, "--set", "models.allowHttp=true");
    await ready(second);
    await helm4(["uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait"]);
    await kubectl("delete", "namespace", OTHER_NAMESPACE);
    await installChart(world().helm);
  });
});
