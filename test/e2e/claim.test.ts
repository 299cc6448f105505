import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { version } from "../world/index.ts";
import { conditionOf, isReady, isStalled, waitFor } from "../world/model-deployment.ts";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import { modelDeployment, useWorld } from "./world.ts";

// The kubelet's own directory: on every node, and gone with a dev cluster's node.
const ON_THE_NODE = "/var/lib/kubelet/berth-e2e-claim";
const VOLUME = "berth-e2e-models";

describe("a model in a persistent volume claim", () => {
  const { world, namespace } = useWorld("e2e-claim");
  // Filling a node's directory needs root, which a restricted namespace does not give.
  const FILLER = "e2e-claim-filler";

  after(async () => {
    await inDirectory("rm -f", "clean").catch(() => undefined);
    await world().cluster.kubectl(["delete", "namespace", FILLER, "--wait=false", "--ignore-not-found"]);
    await world().cluster.kubectl(["delete", "persistentvolume", VOLUME, "--wait=false", "--ignore-not-found"]);
  });

  /** A pod on one node that copies the model into the node's directory, or removes it. Resolves with the node's name. */
  const inDirectory = async (what: "cp" | "rm -f", name: string): Promise<string> => {
    const script =
      what === "cp"
        ? "fs.mkdirSync('/claim/models',{recursive:true});fs.copyFileSync('/models/angle.onnx','/claim/models/angle.onnx')"
        : "fs.rmSync('/claim/models',{recursive:true,force:true})";
    const node = (await world().cluster.kubectl(["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"])).stdout;
    await world().apply([
      { apiVersion: "v1", kind: "Namespace", metadata: { name: FILLER } },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: FILLER },
        spec: {
          nodeName: node,
          restartPolicy: "Never",
          containers: [
            {
              name: "fill",
              image: `localhost/berth-model-server:${await version()}`,
              imagePullPolicy: "IfNotPresent",
              command: ["/usr/local/bin/node", "-e", script],
              securityContext: { runAsUser: 0 },
              volumeMounts: [{ name: "claim", mountPath: "/claim" }],
            },
          ],
          volumes: [{ name: "claim", hostPath: { path: ON_THE_NODE, type: "DirectoryOrCreate" } }],
        },
      },
    ]);
    await world().cluster.kubectl([
      ...[
        "wait",
        "-n",
        FILLER,
        `pod/${name}`,
        "--for=jsonpath={.status.phase}=Succeeded",
        `--timeout=${CLUSTER_PATIENCE_S}s`,
      ],
    ]);
    return node;
  };

  it("is served from there", async () => {
    const node = await inDirectory("cp", "fill");
    await world().apply([
      {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: VOLUME },
        spec: {
          capacity: { storage: "1Gi" },
          accessModes: ["ReadOnlyMany"],
          storageClassName: "",
          hostPath: { path: ON_THE_NODE },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] },
              ],
            },
          },
        },
      },
    ]);
    await world().apply(
      [
        {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          metadata: { name: "models" },
          spec: {
            accessModes: ["ReadOnlyMany"],
            storageClassName: "",
            volumeName: VOLUME,
            resources: { requests: { storage: "1Gi" } },
          },
        },
        modelDeployment("claimed", { model: { uri: "pvc://models/models/angle.onnx" } }),
      ],
      namespace,
    );
    const ready = await waitFor(world().cluster, { namespace, name: "claimed" }, "ready", isReady);
    assert.match(ready.status.stable?.modelDigest ?? "", /^sha256:/);
  });

  it("that is not there is named", async () => {
    await world().apply([modelDeployment("astray", { model: { uri: "pvc://models/models/other.onnx" } })], namespace);
    const object = await waitFor(world().cluster, { namespace, name: "astray" }, "stalled", isStalled);
    assert.equal(conditionOf(object, "Stalled")?.reason, "ModelNotFound");
    assert.match(object.status.message ?? "", /other\.onnx/);
  });

  it("of a claim that does not exist is named", async () => {
    await world().apply([modelDeployment("no-claim", { model: { uri: "pvc://nowhere/angle.onnx" } })], namespace);
    await waitFor(world().cluster, { namespace, name: "no-claim" }, "told that the claim is missing", (seen) =>
      /nowhere/.test(seen.status.message ?? ""),
    );
  });
});
