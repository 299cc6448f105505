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

  it("has the user's labels and annotations, below Berth's own", () => {
    const spec = {
      ...full,
      scheduling: { queueName: "team-a" },
      podLabels: { team: "a", "kueue.x-k8s.io/queue-name": "b" },
    };
    const { metadata } = podTemplate("digits", "digits-1", { ...spec, podAnnotations: { note: "x" } }, settings);
    assert.deepEqual(metadata, {
      labels: { team: "a", "kueue.x-k8s.io/queue-name": "team-a" },
      annotations: { note: "x" },
    });
  });

  it("gives the server the user's variables as they are written, in one order, and none that is denied", () => {
    const env = [
      { name: "B", value: "$(A) costs $5" },
      { name: "A", value: "" },
      ...[
        ...["LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "NODE_OPTIONS", "PATH", "TMPDIR"],
        ...["CUDA_INJECTION64_PATH", "NVTX_INJECTION64_PATH", "INTEL_LIBITTNOTIFY64", "INTEL_JIT_PROFILER64"],
        ...["HSA_TOOLS_LIB", "ROCP_TOOL_LIB", "OMP_TOOL_LIBRARIES", "OCL_ICD_VENDORS"],
      ].map((name) => ({ name, value: "x" })),
    ];
    const { fetch, server } = render({ ...full, server: { env } });
    assert.deepEqual(server.env?.slice(2), [
      { name: "A", value: "" },
      { name: "B", value: "$$(A) costs $$5" },
    ]);
    assert.deepEqual(server.env?.map(({ name }) => name).slice(0, 2), ["ORT_DISABLE_TELEMETRY", "TMPDIR"]);
    assert.deepEqual(
      fetch.env?.map(({ name }) => name),
      ["DISK_LIMIT"],
    );
    const turned = render({ ...full, server: { env: env.toReversed() } });
    assert.deepEqual(turned.server.env, server.env);
  });

  it("fetches with resources of its own; the disk is the pod's as a whole", () => {
    const model = { ...full.model, fetch: { resources: { requests: { cpu: "50m" }, limits: { memory: "128Mi" } } } };
    const { fetch, server } = render({ ...full, model });
    assert.deepEqual(fetch.resources, {
      requests: { cpu: "50m" },
      limits: { memory: "128Mi", "ephemeral-storage": "4Gi" },
    });
    assert.deepEqual(server.resources, render(full).server.resources);
  });

  it("fetches through a proxy", () => {
    const proxy = { url: "http://proxy:3128", noProxy: ["svc", "10.0.0.1"] };
    const { fetch } = render({ ...full, model: { ...full.model, proxy } });
    const args = fetch.args ?? [];
    assert.deepEqual(args.slice(args.indexOf("--proxy"), args.indexOf("--proxy") + 4), [
      ...["--proxy", "http://proxy:3128", "--no-proxy", "10.0.0.1,svc"],
    ]);
  });

  it("lets pages of other origins ask where the spec says so", () => {
    const origins = ["https://b.example", "https://a.example:8443"];
    const { args = [] } = render({ ...full, server: { corsOrigins: origins } }).server;
    assert.equal(args[args.indexOf("--cors-origins") + 1], "https://a.example:8443,https://b.example");
    for (const corsOrigins of [undefined, []]) {
      const spec = corsOrigins === undefined ? full : { ...full, server: { ...full.server, corsOrigins } };
      assert.ok(!render(spec).server.args?.includes("--cors-origins"));
    }
  });

  it("leaves the user to the namespace, where the operator does", () => {
    const { spec } = podTemplate("digits", "digits-1", full, { ...settings, podUser: "namespace" });
    assert.deepEqual(spec?.securityContext, { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    const other = podTemplate("digits", "digits-1", full, { ...settings, podUser: 1234 }).spec?.securityContext;
    assert.deepEqual([other?.runAsUser, other?.runAsGroup], [1234, 1234]);
  });

  it("may start for as long as the longest progressDeadline", () => {
    const { failureThreshold = 0, periodSeconds = 0 } = render(full).server.startupProbe ?? {};
    assert.ok(failureThreshold * periodSeconds >= 168 * 3600);
  });

  it("listens on IPv6 and IPv4", () => {
    const { args = [] } = render(full).server;
    assert.equal(args[args.indexOf("--host") + 1], "::");
  });

  it("shows credentials to the init container alone", () => {
    const { fetch, server } = render(full);
    assert.ok(fetch.volumeMounts?.some(({ name }) => name === "credentials"));
    assert.deepEqual(
      server.volumeMounts?.map(({ name }) => name),
      ["model", "tmp", "weights", "batching"],
    );
  });

  it("leaves time to drain the longest request", () => {
    const { pod, server } = render(full);
    assert.equal(pod.terminationGracePeriodSeconds, 5 + 90 + 25);
    assert.deepEqual(server.args?.slice(-4), ["--request-timeout", "90s", "--drain-timeout", "110s"]);
  });
});
