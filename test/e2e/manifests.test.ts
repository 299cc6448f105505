import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invalidManifests } from "./invalid-manifests.ts";
import { modelDeployment, useWorld } from "./world.ts";

const CORES = [0.5, 2, "0.5", ".5", "5.", "+1", "1e3", "1E-1", "100u", "250000n"];
const SIZES = ["1e9", "1E10", "128974848000m", "+1Gi", ".5Gi", "0", 0, 536_870_912, "512M"];

const valid: Record<string, Record<string, unknown>> = {
  ...Object.fromEntries(CORES.map((cpu) => [`${JSON.stringify(cpu)} cores`, { resources: { requests: { cpu } } }])),
  ...Object.fromEntries(
    SIZES.map((memory) => [`${JSON.stringify(memory)} bytes`, { resources: { requests: { memory } } }]),
  ),
  "a device's memory with an exponent": { accelerator: { vendor: "nvidia", memory: "24e9" } },
  "all of scheduling": {
    scheduling: {
      nodeSelector: { "node-role.kubernetes.io/gpu": "", "topology.kubernetes.io/zone": "a" },
      tolerations: [
        { operator: "Exists", effect: "NoExecute", tolerationSeconds: 0 },
        { key: "dedicated", value: "inference" },
      ],
      priorityClassName: "high",
      runtimeClassName: "nvidia",
      queueName: "team-a",
      topologySpread: ["DoNotSchedule", "ScheduleAnyway"].map((whenUnsatisfiable) => ({
        topologyKey: "topology.kubernetes.io/zone",
        whenUnsatisfiable,
      })),
    },
  },
  "a share of a device": {
    accelerator: { vendor: "nvidia", sharing: "timeSlicing", count: 1, products: ["T4-SHARED"] },
  },
  "two slices of a device": {
    accelerator: { vendor: "nvidia", sharing: "mig", mig: { profile: "1g.10gb+me" }, count: 2 },
  },
  "a slice by its resource": { accelerator: { vendor: "nvidia", sharing: "mig", resourceName: "nvidia.com/gpu" } },
  "external, without a number": { scaling: { mode: "external" } },
  "external, with a number that somebody will scale to one": {
    ...{ replicas: 1, scaling: { mode: "external" } },
    rollout: { strategy: "canary", capacity: "handover" },
  },
  "a number left behind": { replicas: 5, scaling: { minReplicas: 1 } },
  "100% after a smaller step": { rollout: { strategy: "canary", steps: [{ weight: "10%" }, { weight: "100%" }] } },
  "the last port": { model: { uri: "https://models.example.com:65535/a.onnx" } },
  "labels, annotations and variables": {
    podLabels: { team: "a", "app.kubernetes.io/part-of": "shop", "sidecar.istio.io/inject": "true" },
    podAnnotations: { "cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "prometheus.io/scrape": "true" },
    service: {
      labels: { "monitoring.example.com/scrape": "yes" },
      annotations: { "service.kubernetes.io/topology-mode": "Auto" },
    },
    server: {
      env: [
        { name: "OMP_NUM_THREADS", value: "2" },
        { name: "CUDA_MODULE_LOADING", value: "LAZY" },
      ],
    },
  },
  "origins of pages": {
    server: { corsOrigins: ["https://app.example.com", "http://localhost:3000", "http://[::1]:8080"] },
  },
  "all origins": { server: { corsOrigins: ["*"] } },
  "a proxy, and resources of the fetch": {
    model: {
      uri: "https://models.example.com/a.onnx",
      proxy: { url: "http://proxy.corp.example.com:3128", noProxy: ["svc", "10.0.0.1", "fd00::1"] },
      fetch: { resources: { requests: { cpu: 0.5, memory: "128Mi" }, limits: { memory: "256Mi" } } },
    },
  },
  "claims of both kinds": {
    accelerator: {
      claims: [
        { name: "own", resourceClaimTemplateName: "one-gpu" },
        { name: "common", resourceClaimName: "switch" },
      ],
    },
    server: { executionProvider: "cpu" },
  },
};

describe("manifests", () => {
  const { world, namespace } = useWorld("e2e-manifests");

  const dryRun = (manifest: object) =>
    world().cluster.kubectl(["create", "-n", namespace, "--dry-run=server", "-f", "-"], {
      input: JSON.stringify(manifest),
    });

  it("a valid one is accepted", async () => {
    assert.match((await dryRun(modelDeployment("valid"))).stdout, /created \(server dry run\)/);
  });

  for (const [name, spec] of Object.entries(valid)) {
    it(`accepted: ${name}`, async () => {
      assert.match((await dryRun(modelDeployment("valid", spec))).stdout, /created \(server dry run\)/);
    });
  }

  it("cores without quotes are owned, changed and given back by server-side apply", async () => {
    const apply = (cpu: unknown, ...more: string[]) =>
      world().cluster.kubectl(["apply", "-n", namespace, "--server-side", ...more, "-f", "-"], {
        input: JSON.stringify(
          modelDeployment("cores", { scaling: { minReplicas: 0 }, resources: { requests: { cpu } } }),
        ),
      });
    await apply(0.5);
    await assert.rejects(
      apply("250m", "--field-manager=another"),
      /conflict with "kubectl": \.spec\.resources\.requests\.cpu/,
    );
    await apply(0.25);
    const found = await world().cluster.kubectl([
      ...["get", "mdeploy", "cores", "-n", namespace, "-o", "jsonpath={.spec.resources.requests.cpu}"],
    ]);
    assert.equal(found.stdout, "0.25");
  });

  it("there are at least 25 invalid ones", () => {
    assert.ok(invalidManifests.length >= 25, `${invalidManifests.length}`);
  });

  for (const { name, manifest, field } of invalidManifests) {
    it(`refused, with ${field} named: ${name}`, async () => {
      await assert.rejects(dryRun(manifest), (error) => {
        assert.ok(error instanceof Error);
        assert.ok(error.message.includes(field), `the message does not name ${field}: ${error.message}`);
        return true;
      });
    });
  }
});
