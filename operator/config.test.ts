import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { ConfigError, parseConfig } from "./config.ts";

const needed = ["--namespace", "berth", "--identity", "pod_1", "--runtime-image", "berth-runtime:1"];

test("the defaults, and every option", () => {
  const defaults = {
    namespace: "berth",
    identity: "pod_1",
    runtimeImage: "berth-runtime:1",
    runtimeImagePullPolicy: "IfNotPresent",
    allowHttpModels: false,
    podUser: 65_532,
    nodeAutoscaling: "auto",
    watchNamespaces: [],
    routerRole: { kind: "ClusterRole", name: "berth-operator-router:berth" },
    routerResources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "768Mi" } },
    routerTrustForwarded: "none",
    leaseName: "berth-operator",
    logLevel: "info",
    probePort: 8081,
    metricsPort: 8080,
    kubeconfig: undefined,
    workers: 16,
    apiRate: { perSecond: 400, burst: 800 },
    electionTimes: { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
  };
  assert.deepEqual(parseConfig(needed), defaults);
  const others =
    "--runtime-image-pull-policy=Never --allow-http-models=true --pod-user=namespace --router-cluster-role=another --watch-namespaces=a,b-1,a --lease-name=prod --log-level=debug --probe-port=1 --metrics-port=2 " +
    "--kube-api-qps=20 --kube-api-burst=30 --lease-duration=3s --renew-deadline=2s --retry-period=400ms";
  assert.deepEqual(
    parseConfig([
      ...needed,
      ...others.split(" "),
      "--kubeconfig=f",
      "--workers=8",
      '--router-resources={"limits":{"cpu":1}}',
      "--router-trust-forwarded=10.0.0.0/8,::1",
    ]),
    {
      ...defaults,
      runtimeImagePullPolicy: "Never",
      allowHttpModels: true,
      podUser: "namespace",
      nodeAutoscaling: "auto",
      watchNamespaces: ["a", "b-1"],
      routerRole: { kind: "ClusterRole", name: "another" },
      routerResources: { requests: {}, limits: { cpu: "1" } },
      routerTrustForwarded: "10.0.0.0/8,::1",
      leaseName: "prod",
      logLevel: "debug",
      probePort: 1,
      metricsPort: 2,
      kubeconfig: "f",
      workers: 8,
      apiRate: { perSecond: 20, burst: 30 },
      electionTimes: { leaseMs: 3000, renewDeadlineMs: 2000, retryMs: 400 },
    },
  );
  const ofRole = parseConfig([...needed, "--router-role=another"]);
  assert.deepEqual(ofRole, { ...defaults, routerRole: { kind: "Role", name: "another" } });
  assert.equal(parseConfig(["--help"]), "help");
});

test("a bad option is refused in one line that names it", () => {
  const bad: [string[], RegExp][] = [
    [["--namespace", "x"], /--identity is missing/],
    [[...needed, "--colour"], /--colour/],
    [[...needed, "extra"], /extra/],
    [[...needed, "--workers=0"], /--workers must be a whole number from 1 to 64, not "0"/],
    [[...needed, "--probe-port=http"], /--probe-port/],
    [[...needed, "--allow-http-models=yes"], /--allow-http-models must be one of true, false, not "yes"/],
    [[...needed, "--watch-namespaces=a,,b"], /--watch-namespaces must be namespace names .*, and "" is not one/],
    [[...needed, "--watch-namespaces="], /--watch-namespaces/],
    [[...needed, "--watch-namespaces=a, b"], /" b" is not one/],
    [[...needed, "--router-role=a", "--router-cluster-role=b"], /exclude each other/],
    [[...needed, "--pod-user=root"], /--pod-user must be a number from 1 to 2147483647, or namespace, not "root"/],
    [[...needed, "--pod-user=0"], /--pod-user must be a whole number from 1/],
    [[...needed, "--router-trust-forwarded=10.0.0.0/33"], /--router-trust-forwarded: "10.0.0.0\/33" must be none/],
    [[...needed, "--log-level=loud"], /--log-level/],
    [[...needed, "--lease-duration=1500ms"], /--lease-duration must be whole seconds/],
    [[...needed, "--lease-duration=10s"], /--renew-deadline must be shorter than --lease-duration/],
    [[...needed, "--retry-period=9s"], /--retry-period must be above 0/],
    [[...needed, "--kube-api-qps=0"], /--kube-api-qps must be a whole number from 1/],
    [[...needed, "--retry-period=often"], /--retry-period: "often" is not a duration/],
  ];
  for (const [args, message] of bad) {
    assert.throws(
      () => parseConfig(args),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  }
});

test("every word that the chart takes is one of the operator's", () => {
  const words = z.object({ enum: z.array(z.union([z.string(), z.boolean()])) });
  const schema = z.object({
    properties: z.object({ logLevel: words, nodeAutoscaling: words }),
    definitions: z.object({ image: z.object({ properties: z.object({ pullPolicy: words }) }) }),
  });
  const file = new URL("../charts/berth/values.schema.json", import.meta.url);
  const { definitions, properties } = schema.parse(JSON.parse(readFileSync(file, "utf8")));
  const options: [string, z.infer<typeof words>][] = [
    ["--log-level", properties.logLevel],
    ["--node-autoscaling", properties.nodeAutoscaling],
    ["--runtime-image-pull-policy", definitions.image.properties.pullPolicy],
  ];
  for (const [option, { enum: values }] of options) {
    for (const value of values) assert.notEqual(parseConfig([...needed, `${option}=${value}`]), "help");
  }
});
