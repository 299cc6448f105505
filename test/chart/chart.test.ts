import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { load } from "js-yaml";
import { generateKustomize } from "../../build/generate/kustomize.ts";
import { type Config, parseConfig } from "../../operator/config.ts";
import { CHART, helm, helmPath, type Manifest, podSpecs, render, renderWith } from "./render.ts";

const MODES = {
  defaults: [],
  everything: [
    "replicas=3",
    "models.allowHttp=true",
    "nodeAutoscaling=false",
    "priorityClassName=high",
    "imagePullSecrets[0].name=pull",
    "nodeSelector.disk=ssd",
    "tolerations[0].operator=Exists",
    "image.tag=other",
    "runtime.image.tag=next",
    "runtime.user=namespace",
    "workers=8",
    "kubeAPI.qps=20",
    "kubeAPI.burst=30",
    "leaderElection.leaseDuration=1m",
    "leaderElection.renewDeadline=40s",
    "leaderElection.retryPeriod=10s",
    "watchNamespaces={a,b}",
    "router.resources.limits.cpu=2",
    "router.resources.requests.cpu=500m",
    "router.trustForwarded=10.0.0.0/8",
  ],
  bare: ["crds.enabled=false", "replicas=0", "resources=null", "rbac.aggregate=false", "rbac.clusterReads=false"],
};

test("helm lint --strict finds nothing", async () => {
  for (const values of Object.values(MODES))
    assert.match(
      await helm("lint", "--strict", CHART, ...values.flatMap((value) => ["--set", value])),
      /0 chart\(s\) failed/,
    );
});

test("every pod fits the Pod Security Standard restricted, on a read-only root", async () => {
  for (const values of Object.values(MODES)) {
    const pods = podSpecs(await render(...values));
    assert.deepEqual(
      pods.map((pod) => pod.name),
      ["Deployment berth-operator", "Pod berth-operator-test"],
    );
    for (const { name, spec } of pods) {
      assert.equal(spec.securityContext.runAsNonRoot, true, name);
      assert.equal(spec.securityContext.runAsUser, 65532, name);
      assert.equal(spec.securityContext.seccompProfile.type, "RuntimeDefault", name);
      for (const host of [spec.hostNetwork, spec.hostPID, spec.hostIPC]) assert.equal(host, undefined, name);
      for (const volume of spec.volumes ?? []) assert.deepEqual(Object.keys(volume).sort(), ["emptyDir", "name"], name);
      for (const { securityContext } of [...spec.containers, ...(spec.initContainers ?? [])]) {
        assert.equal(securityContext.allowPrivilegeEscalation, false, name);
        assert.equal(securityContext.readOnlyRootFilesystem, true, name);
        assert.equal(securityContext.privileged, undefined, name);
        assert.deepEqual(securityContext.capabilities, { drop: ["ALL"] }, name);
      }
    }
  }
});

test("the values reach the operator's command line", async () => {
  const [operator] = podSpecs(await render(...MODES.everything));
  const container = operator?.spec.containers[0];
  assert.equal(container?.image, "localhost/berth-operator:other");
  const { namespace, podUser, runtimeImage, runtimeImagePullPolicy, allowHttpModels, ...config } = configOf(
    container?.args,
  );
  assert.equal(namespace, "$(POD_NAMESPACE)");
  assert.deepEqual([runtimeImage, runtimeImagePullPolicy], ["localhost/berth-runtime:next", "IfNotPresent"]);
  assert.deepEqual([allowHttpModels, podUser], [true, "namespace"]);
  assert.equal(config.nodeAutoscaling, "false");
  assert.deepEqual(config.watchNamespaces, ["a", "b"]);
  assert.deepEqual(config.routerRole, { kind: "Role", name: "berth-operator-router:berth-system" });
  assert.deepEqual(config.routerResources, {
    requests: { cpu: "500m", memory: "128Mi" },
    limits: { cpu: "2", memory: "768Mi" },
  });
  assert.equal(config.routerTrustForwarded, "10.0.0.0/8");
  assert.deepEqual([config.workers, config.apiRate], [8, { perSecond: 20, burst: 30 }]);
  assert.deepEqual(config.electionTimes, { leaseMs: 60_000, renewDeadlineMs: 40_000, retryMs: 10_000 });
});

test("the chart's defaults are the operator's own", async () => {
  const [operator] = podSpecs(await render());
  const config = configOf(operator?.spec.containers[0]?.args);
  const { identity, namespace, runtimeImage } = config;
  assert.equal(namespace, "$(POD_NAMESPACE)");
  const needed = ["--identity", identity, "--namespace", "berth-system", "--runtime-image", runtimeImage];
  assert.deepEqual({ ...config, namespace: "berth-system" }, configOf(needed));
});

const configOf = (args: readonly string[] = []): Config => {
  const config = parseConfig([...args]);
  return config === "help" ? assert.fail("it asks for help") : config;
};

test("several replicas get a disruption budget, one does not", async () => {
  const budgets = async (...values: string[]) =>
    (await render(...values)).filter(({ kind }) => kind === "PodDisruptionBudget").length;
  assert.deepEqual([await budgets(), await budgets("replicas=2")], [0, 1]);
});

for (const [what, value, message] of [
  ["an unknown value", "replcias=2", /replcias/],
  ["an unknown value inside", "image.tga=1", /tga/],
  ["another type", "replicas=two", /replicas/],
  ["another word", "logLevel=loud", /logLevel/],
  ["a number out of bounds", "workers=65", /workers/],
  ["a time without its unit", "leaderElection.leaseDuration=15", /leaseDuration/],
  ["a monitor without its API", "serviceMonitor.enabled=true", /monitoring\.coreos\.com\/v1/],
] as const)
  test(`${what} is refused by name`, async () => {
    await assert.rejects(render(value), message);
  });

test("a monitor is made where its API is", async () => {
  const manifests = await renderWith(["--api-versions", "monitoring.coreos.com/v1"], "serviceMonitor.enabled=true");
  assert.equal(manifests.filter(({ kind }) => kind === "ServiceMonitor").length, 1);
});

const crdsOf = (manifests: readonly Manifest[]) => manifests.filter(({ kind }) => kind === "CustomResourceDefinition");

test("CRDs are those of the chart's folder, kept on uninstall unless told otherwise, and can be left out", async () => {
  const folder = `${CHART}/files/crds`;
  const sources = readdirSync(folder).map((name) => load(readFileSync(`${folder}/${name}`, "utf8")));
  assert.ok(sources.length > 0);
  assert.deepEqual(crdsOf(await render("crds.keep=false")), sources);
  for (const { metadata } of crdsOf(await render()))
    assert.equal(metadata.annotations?.["helm.sh/resource-policy"], "keep");
  assert.deepEqual(crdsOf(await render("crds.enabled=false")), []);
});

test("config/ is what the chart renders today", async () => {
  for (const [path, text] of await generateKustomize(".", helmPath()))
    assert.equal(readFileSync(path, "utf8"), text, `${path} is stale: npm run generate`);
});
