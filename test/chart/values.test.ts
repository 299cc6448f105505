import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { parseDuration } from "../../contract/duration.ts";
import { faultOf } from "../../operator/platform/manager/election.ts";
import { CHART, helm, type Manifest, parseManifests, render, renderWith } from "./render.ts";

const Operator = z.looseObject({
  spec: z.looseObject({
    selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.looseObject({
      metadata: z.looseObject({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
      spec: z.looseObject({
        serviceAccountName: z.string(),
        securityContext: z.record(z.string(), z.unknown()).optional(),
        containers: z
          .array(
            z.looseObject({
              image: z.string(),
              args: z.array(z.string()),
              securityContext: z.record(z.string(), z.unknown()).optional(),
            }),
          )
          .length(1),
      }),
    }),
  }),
});

const operatorOf = (manifests: readonly Manifest[]) => {
  const { template, selector } = Operator.parse(manifests.find(({ kind }) => kind === "Deployment")).spec;
  const { metadata, spec } = template;
  const [container] = spec.containers;
  if (container === undefined) throw new Error("the operator's pod has no container");
  return { metadata, selector, spec, container };
};

test("pods get labels and annotations, and keep those that select them", async () => {
  const { metadata, selector } = operatorOf(
    await render("podLabels.team=ml", "podLabels.app\\.kubernetes\\.io/name=mine", "podAnnotations.note=a"),
  );
  assert.equal(metadata.labels.team, "ml");
  assert.deepEqual(metadata.annotations, { note: "a" });
  for (const [label, value] of Object.entries(selector.matchLabels)) assert.equal(metadata.labels[label], value);
});

const namesOf = (manifests: readonly Manifest[]) =>
  manifests
    .filter(({ kind }) => kind !== "CustomResourceDefinition")
    .map(({ metadata }) => metadata.name.replace(/(-(router|metrics|test|view|edit|models))?(:berth-system)?$/, ""));

for (const [values, name] of [
  [[], "berth-operator"],
  [["nameOverride=models"], "berth-models-operator"],
  [["fullnameOverride=serving"], "serving"],
  [["fullnameOverride=serving", "nameOverride=models"], "serving"],
] as const)
  test(`names with ${values.join(" and ") || "neither override"}: ${name}`, async () => {
    const manifests = await render(...values, "watchNamespaces={a}");
    assert.deepEqual([...new Set(namesOf(manifests))], [name]);
    const { container, spec } = operatorOf(manifests);
    assert.equal(spec.serviceAccountName, name);
    for (const [option, value] of [
      ["--lease-name", name],
      ["--router-role", `${name}-router:berth-system`],
    ])
      assert.equal(container.args[container.args.indexOf(option ?? "") + 1], value);
  });

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

for (const [tag, expected] of [
  ["", `registry:5000/a/berth@${DIGEST}`],
  ["v1", `registry:5000/a/berth:v1@${DIGEST}`],
])
  test(`images by digest, tag "${tag}"`, async () => {
    const image = (prefix: string) => [
      `${prefix}.repository=registry:5000/a/berth`,
      `${prefix}.digest=${DIGEST}`,
      `${prefix}.tag=${tag}`,
    ];
    const { container } = operatorOf(await render(...image("image"), ...image("runtime.image")));
    assert.equal(container.image, expected);
    assert.equal(container.args[container.args.indexOf("--runtime-image") + 1], expected);
  });

test("OpenShift chooses the user where the chart names none", async () => {
  const { spec, container } = operatorOf(
    await render(
      "podSecurityContext.runAsUser=null",
      "podSecurityContext.runAsGroup=null",
      "securityContext.privileged=false",
    ),
  );
  assert.deepEqual(spec.securityContext, { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
  assert.equal(container.securityContext?.privileged, false);
  const none = operatorOf(await render("podSecurityContext=null", "securityContext=null"));
  assert.deepEqual([none.spec.securityContext, none.container.securityContext], [undefined, undefined]);
});

test("a monitor has its own labels, and the chart's where they meet", async () => {
  const labels = ["release=prom", "app\\.kubernetes\\.io/name=mine"].map((label) => `serviceMonitor.labels.${label}`);
  const apis = ["--api-versions", "monitoring.coreos.com/v1"];
  const manifests = await renderWith(apis, "serviceMonitor.enabled=true", ...labels);
  const monitor = manifests.find(({ kind }) => kind === "ServiceMonitor");
  const Labelled = z.looseObject({ labels: z.record(z.string(), z.string()) });
  const given = Labelled.parse(monitor?.metadata).labels;
  assert.deepEqual([given.release, given["app.kubernetes.io/name"]], ["prom", "berth-operator"]);
});

test("a monitor takes every interval that the Prometheus operator takes", async () => {
  const apis = ["--api-versions", "monitoring.coreos.com/v1"];
  for (const interval of ["1d", "1w2d3h4m5s6ms", "1y", "90s"])
    await renderWith(apis, "serviceMonitor.enabled=true", `serviceMonitor.interval=${interval}`);
});

for (const [what, value, message] of [
  ["a digest of another kind", "image.digest=md5:abc", /digest/],
  ["a digest in the repository", `image.repository=a@${DIGEST}`, /repository/],
  ["a tag in the repository", "image.repository=registry:5000/a/berth:v1", /repository/],
  ["a quantity that is none", "resources.limits.memory=lots", /resources\/limits\/memory/],
  ["a limit below its request", "resources.limits.memory=64Mi", /resources\.limits\.memory 64Mi is less than/],
  ["a label that no object can have", "podLabels.team=a b", /podLabels\/team/],
  ["an interval of another kind", "serviceMonitor.interval=1s1m", /serviceMonitor\/interval/],
  ["a name that no object can have", "fullnameOverride=A_b", /fullnameOverride/],
  ["a namespace that cannot be", "watchNamespaces={A}", /watchNamespaces/],
  ["the same namespace twice", "watchNamespaces={a,a}", /watchNamespaces/],
  [
    "a lease of parts of seconds",
    "leaderElection.leaseDuration=1500ms",
    /leaderElection\.leaseDuration must be whole seconds/,
  ],
  ["a lease of nothing", "leaderElection.leaseDuration=0s", /leaderElection\.leaseDuration must be whole seconds/],
  ["a lease of days", "leaderElection.leaseDuration=25h", /leaderElection\.leaseDuration must be at most 24h/],
  ["a lease of no number", "leaderElection.leaseDuration=99999999999999999h", /leaderElection\/leaseDuration/],
  ["a deadline after the lease", "leaderElection.renewDeadline=15s", /leaderElection\.renewDeadline must be shorter/],
  ["tries as rare as the deadline", "leaderElection.retryPeriod=9s", /leaderElection\.retryPeriod must be above 0/],
  ["enabled=false where nobody reads it", "enabled=false", /condition: berth\.enabled/],
] as const)
  test(`${what} is refused by name`, async () => {
    await assert.rejects(render(value), message);
  });

const duration = fc
  .array(fc.tuple(fc.nat(40), fc.constantFrom("ms", "s", "m", "h")), { minLength: 1, maxLength: 2 })
  .map((parts) => parts.map(([amount, unit]) => `${amount}${unit}`).join(""));

test("times are refused exactly where the operator would refuse them", async () => {
  const times = fc.record({ leaseDuration: duration, renewDeadline: duration, retryPeriod: duration });
  const near = fc.constantFrom(
    { leaseDuration: "15s", renewDeadline: "15s", retryPeriod: "2s" },
    { leaseDuration: "15s", renewDeadline: "14999ms", retryPeriod: "2s" },
    { leaseDuration: "12001ms", renewDeadline: "12s", retryPeriod: "2s" },
    { leaseDuration: "1m", renewDeadline: "12s", retryPeriod: "10s" },
    { leaseDuration: "1m", renewDeadline: "12s", retryPeriod: "9999ms" },
    { leaseDuration: "1h", renewDeadline: "59m59s", retryPeriod: "0s" },
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(times, near), async (values) => {
      const { leaseDuration, renewDeadline, retryPeriod } = values;
      const [leaseMs, renewDeadlineMs, retryMs] = [leaseDuration, renewDeadline, retryPeriod].map(parseDuration);
      const fault = faultOf({ leaseMs: leaseMs ?? 0, renewDeadlineMs: renewDeadlineMs ?? 0, retryMs: retryMs ?? 0 });
      const sets = Object.entries(values).map(([name, value]) => `leaderElection.${name}=${value}`);
      if (fault === undefined) await render(...sets);
      else await assert.rejects(render(...sets), /leaderElection\./, fault);
    }),
    { numRuns: 40 },
  );
});

const folder = await mkdtemp(join(tmpdir(), "berth-parent-"));
after(() => rm(folder, { recursive: true }));

test("it is a subchart, with a condition and global values", async () => {
  await cp(CHART, join(folder, "charts/berth"), { recursive: true });
  await writeFile(
    join(folder, "Chart.yaml"),
    'apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies: [{name: berth, version: "0.1.0", condition: berth.enabled}]\n',
  );
  const kindsWith = async (...values: string[]) => {
    const sets = values.flatMap((value) => ["--set", value]);
    const args = ["template", "parent", folder, "--kube-version", "1.30.0", "--set", "global.registry=here", ...sets];
    return parseManifests(await helm(...args)).map(({ kind }) => kind);
  };
  assert.ok((await kindsWith()).includes("Deployment"));
  assert.ok((await kindsWith("berth.enabled=true", "berth.replicas=2")).includes("PodDisruptionBudget"));
  assert.deepEqual(await kindsWith("berth.enabled=false"), []);
});
