import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { specifiersOf, violations } from "./arrows.ts";

describe("specifiersOf", () => {
  it("finds every form of import", () => {
    const source = [
      'import { readFile } from "node:fs/promises";',
      'import type { Client } from "../kube/client.ts";',
      'import "./side-effect.ts";',
      "import {\n  a,\n  b,\n} from './several-lines.ts';",
      'export * from "./all.ts";',
      'const later = await import("./later.ts");',
      '// a comment that says import "nothing"',
    ].join("\n");
    assert.deepEqual(specifiersOf(source), [
      "node:fs/promises",
      "../kube/client.ts",
      "./side-effect.ts",
      "./several-lines.ts",
      "./all.ts",
      "./later.ts",
    ]);
  });
});

describe("violations", () => {
  it("allows the arrows of the architecture", () => {
    assert.deepEqual(
      violations([
        { from: "operator/platform/controller/controller.ts", to: "operator/platform/cache/store.ts" },
        { from: "operator/platform/kube/transport.ts", to: "@kubernetes/client-node" },
        { from: "operator/controllers/model-deployment/children/service.ts", to: "operator/api/v1alpha1/names.ts" },
        { from: "runtime/inference/shards/restart.ts", to: "contract/pod.ts" },
        { from: "runtime/transport/grpc/server.ts", to: "runtime/transport/http2/index.ts" },
        { from: "runtime/router/doors/http1.ts", to: "runtime/transport/http/head.ts" },
        { from: "runtime/protocols/open-inference/index.ts", to: "runtime/inference/index.ts" },
        { from: "operator/main.ts", to: "operator/platform/manager/manager.ts" },
        { from: "test/e2e/anything.ts", to: "operator/platform/kube/client.ts" },
      ]),
      [],
    );
  });

  it("names each import that goes against them", () => {
    const against = [
      { from: "operator/platform/cache/reflector.ts", to: "operator/platform/controller/work-queue.ts" },
      { from: "operator/platform/manager/manager.ts", to: "@kubernetes/client-node" },
      { from: "operator/controllers/model-deployment/children/service.ts", to: "operator/platform/kube/client.ts" },
      { from: "operator/controllers/model-deployment/plan.ts", to: "node:fs" },
      { from: "runtime/server/door.ts", to: "operator/api/v1alpha1/names.ts" },
      { from: "contract/pod.ts", to: "operator/api/v1alpha1/names.ts" },
      { from: "runtime/transport/http/connection.ts", to: "runtime/server/beside/index.ts" },
      { from: "runtime/transport/http/head.ts", to: "runtime/transport/http2/hpack.ts" },
      { from: "runtime/protocols/open-inference/index.ts", to: "runtime/inference/batching/index.ts" },
      { from: "runtime/protocols/json/tensor.ts", to: "runtime/transport/http/types.ts" },
      { from: "runtime/engine/session.ts", to: "runtime/inference/index.ts" },
      { from: "runtime/telemetry/prometheus.ts", to: "runtime/server/status.ts" },
      { from: "runtime/router/command.ts", to: "runtime/server/budgets.ts" },
      { from: "runtime/server/door.ts", to: "runtime/router/split.ts" },
      { from: "operator/main.ts", to: "test/cluster/index.ts" },
      { from: "operator/platform/cache/trim.ts", to: "operator/api/v1alpha1/labels.ts" },
      { from: "operator/domain/rollout/machine.ts", to: "operator/platform/kube/client.ts" },
      { from: "operator/controllers/autoscaler/scaler.ts", to: "operator/controllers/evidence/observer.ts" },
    ];
    const found = violations(against);
    assert.equal(found.length, against.length);
    assert.match(
      found[0] ?? "",
      /^operator\/platform\/cache\/reflector\.ts imports operator\/platform\/controller\/work-queue\.ts: /,
    );
  });
});
