import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { modelDeployment, useWorld } from "./world.ts";

const KINDS =
  "deployments,replicasets,pods,services,configmaps,controllerrevisions,endpointslices,poddisruptionbudgets,networkpolicies,events";

describe("deleting a ModelDeployment", () => {
  const { world, namespace } = useWorld("e2e-delete");

  const leftOvers = async (): Promise<string[]> => {
    const { stdout } = await world().cluster.kubectl(["get", KINDS, "-n", namespace, "-o", "name"]);
    // Not ours: what every namespace has, what the test put there, and the history of what happened.
    const others = /^(configmap\/(kube-root-ca\.crt|models-ca)|event)/;
    return stdout.split("\n").filter((line) => line !== "" && !others.test(line));
  };

  it("removes everything that was made for it, and nothing else", async () => {
    await world().apply([modelDeployment("short-lived"), modelDeployment("stays")], namespace);
    const ready = (name: string) => waitFor(world().cluster, { namespace, name }, "ready", isReady);
    await Promise.all([ready("short-lived"), ready("stays")]);
    assert.ok((await leftOvers()).some((name) => name.includes("short-lived")));

    await world().cluster.kubectl(["delete", "mdeploy", "short-lived", "-n", namespace]);
    const ofShortLived = async () => (await leftOvers()).filter((name) => name.includes("short-lived"));
    await eventually("nothing of it is left", async () => (await ofShortLived()).length === 0, ofShortLived);
    assert.ok((await leftOvers()).some((name) => name.startsWith("pod/stays-")));
  });
});
