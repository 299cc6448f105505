import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, parseConfig } from "./config.ts";

const needed = ["--namespace", "berth", "--identity", "pod_1", "--runtime-image", "berth-runtime:1"];

test("the defaults, and every option", () => {
  const defaults = {
    namespace: "berth",
    identity: "pod_1",
    runtimeImage: "berth-runtime:1",
    runtimeImagePullPolicy: "IfNotPresent",
    allowHttpModels: false,
    logLevel: "info",
    probePort: 8081,
    metricsPort: 8080,
    kubeconfig: undefined,
    workers: 4,
  };
  assert.deepEqual(parseConfig(needed), defaults);
  const others =
    "--runtime-image-pull-policy=Never --allow-http-models=true --log-level=debug --probe-port=1 --metrics-port=2";
  assert.deepEqual(parseConfig([...needed, ...others.split(" "), "--kubeconfig=f", "--workers=8"]), {
    ...defaults,
    runtimeImagePullPolicy: "Never",
    allowHttpModels: true,
    logLevel: "debug",
    probePort: 1,
    metricsPort: 2,
    kubeconfig: "f",
    workers: 8,
  });
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
    [[...needed, "--log-level=loud"], /--log-level/],
  ];
  for (const [args, message] of bad) {
    assert.throws(
      () => parseConfig(args),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  }
});
