import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RevisionSpec } from "../revision.ts";
import { podTemplate } from "./pod-template.ts";

const settings = { runtimeImage: "berth-runtime:1", runtimeImagePullPolicy: "IfNotPresent", allowHttpModels: false };
const full: RevisionSpec = {
  model: {
    uri: "https://models.example.com/a.onnx",
    sha256: "0".repeat(64),
    credentials: { secretName: "token" },
    caBundle: { configMapName: "ca" },
  },
  server: { requestTimeout: "1m30s" },
  accelerator: { vendor: "nvidia", count: 2, products: ["NVIDIA-L4"], memory: "20Gi" },
  resources: { requests: { memory: "1Gi" }, limits: { cpu: 2, "ephemeral-storage": "4Gi" } },
};
const render = (spec: RevisionSpec) => {
  const pod = podTemplate("digits", "digits-12345678", spec, settings).spec;
  const [fetch, server] = [pod?.initContainers?.[0], pod?.containers[0]];
  if (pod === undefined || fetch === undefined || server === undefined) throw new Error("no pod");
  return { pod, fetch, server };
};

describe("the pod template", () => {
  for (const spec of [full, { model: { uri: "pvc://models/a.onnx" } }]) {
    it(`satisfies Pod Security's restricted profile: ${spec.model.uri}`, () => {
      const { pod, fetch, server } = render(spec);
      assert.equal(pod.securityContext?.runAsNonRoot, true);
      assert.deepEqual(pod.securityContext?.seccompProfile, { type: "RuntimeDefault" });
      assert.equal(pod.automountServiceAccountToken, false);
      for (const { securityContext } of [fetch, server]) {
        assert.equal(securityContext?.allowPrivilegeEscalation, false);
        assert.equal(securityContext?.readOnlyRootFilesystem, true);
        assert.deepEqual(securityContext?.capabilities, { drop: ["ALL"] });
      }
      const kinds = (pod.volumes ?? []).flatMap(({ name: _, ...source }) => Object.keys(source));
      const allowed = ["emptyDir", "configMap", "secret", "persistentVolumeClaim"];
      assert.deepEqual(
        kinds.filter((kind) => !allowed.includes(kind)),
        [],
      );
    });
  }

  it("gives devices to the server alone, limits equal to requests", () => {
    const { fetch, server } = render(full);
    assert.deepEqual(server.resources, {
      requests: { memory: "1Gi", "nvidia.com/gpu": "2" },
      limits: { cpu: "2", "ephemeral-storage": "4Gi", "nvidia.com/gpu": "2" },
    });
    assert.equal(fetch.resources?.limits?.["nvidia.com/gpu"], undefined);
  });

  it("gives claims to the server alone", () => {
    const claims = [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }];
    const { fetch, pod, server } = render({ ...full, accelerator: { vendor: "nvidia", claims } });
    assert.deepEqual(pod.resourceClaims, claims);
    assert.deepEqual(server.resources?.claims, [{ name: "gpu" }]);
    assert.equal(server.resources?.limits?.["nvidia.com/gpu"], undefined);
    assert.equal(fetch.resources?.claims, undefined);
  });

  it("has labels of its own for a queue only", () => {
    const labelsOf = (spec: RevisionSpec) => podTemplate("digits", "digits-1", spec, settings).metadata?.labels;
    assert.equal(labelsOf(full), undefined);
    const queued = { ...full, scheduling: { queueName: "team-a" } };
    assert.deepEqual(labelsOf(queued), { "kueue.x-k8s.io/queue-name": "team-a" });
  });

  it("shows credentials to the init container alone", () => {
    const { fetch, server } = render(full);
    assert.ok(fetch.volumeMounts?.some(({ name }) => name === "credentials"));
    assert.deepEqual(
      server.volumeMounts?.map(({ name }) => name),
      ["model", "tmp", "weights"],
    );
  });

  it("leaves time to drain the longest request", () => {
    const { pod, server } = render(full);
    assert.equal(pod.terminationGracePeriodSeconds, 5 + 90 + 25);
    assert.deepEqual(server.args?.slice(-4), ["--request-timeout", "90s", "--drain-timeout", "110s"]);
  });
});
