import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ControllerRevision } from "../../platform/kube/objects.ts";
import { canonical, newRevisionName, parseRevision, type RevisionSpec } from "./revision.ts";

const uri = "https://models.example.com/a.onnx";
const base: RevisionSpec = { model: { uri } };
const nvidia = { vendor: "nvidia" } as const;

const same: [string, RevisionSpec, RevisionSpec][] = [
  [
    "1Gi is 1024Mi",
    { ...base, resources: { limits: { memory: "1Gi" } } },
    { ...base, resources: { limits: { memory: "1024Mi" } } },
  ],
  [
    "1 is 1000m",
    { ...base, resources: { requests: { cpu: 1 } } },
    { ...base, resources: { requests: { cpu: "1000m" } } },
  ],
  [
    "0.5 is 500m",
    { ...base, resources: { requests: { cpu: "0.5" } } },
    { ...base, resources: { requests: { cpu: "500m" } } },
  ],
  ["auto is the default", base, { ...base, server: { executionProvider: "auto" } }],
  ["30s is the default", base, { ...base, server: { requestTimeout: "30s" } }],
  ["60s is 1m", { ...base, server: { requestTimeout: "60s" } }, { ...base, server: { requestTimeout: "1m" } }],
  ["one device is the default", { ...base, accelerator: nvidia }, { ...base, accelerator: { ...nvidia, count: 1 } }],
  [
    "products are a set",
    { ...base, accelerator: { ...nvidia, products: ["A", "B"] } },
    { ...base, accelerator: { ...nvidia, products: ["B", "A"] } },
  ],
  [
    "exclusive is the default",
    { ...base, accelerator: nvidia },
    { ...base, accelerator: { ...nvidia, sharing: "exclusive" } },
  ],
  [
    "a slice is its resource",
    { ...base, accelerator: { ...nvidia, sharing: "mig", mig: { profile: "1g.10gb+me" } } },
    { ...base, accelerator: { ...nvidia, sharing: "mig", resourceName: "nvidia.com/mig-1g.10gb.me" } },
  ],
  ["no scheduling is the default", base, { ...base, scheduling: { nodeSelector: {}, tolerations: [] } }],
  [
    "tolerations have no order, and Equal is the default",
    { ...base, scheduling: { tolerations: [{ key: "a" }, { key: "b", operator: "Exists" }] } },
    {
      ...base,
      scheduling: {
        tolerations: [
          { operator: "Exists", key: "b" },
          { key: "a", operator: "Equal", value: "" },
        ],
      },
    },
  ],
  [
    "a skew of one is the default",
    { ...base, scheduling: { topologySpread: [{ topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }] } },
    {
      ...base,
      scheduling: { topologySpread: [{ topologyKey: "zone", maxSkew: 1, whenUnsatisfiable: "DoNotSchedule" }] },
    },
  ],
  ["default requests", base, { ...base, resources: { requests: { cpu: "0.1", memory: "256Mi" }, limits: {} } }],
  [
    "a limit is a request",
    { ...base, resources: { limits: { memory: "1Gi" } } },
    { ...base, resources: { requests: { memory: "1024Mi" }, limits: { memory: "1Gi" } } },
  ],
  ["32 is the default", base, { ...base, server: { batching: { maxBatchSize: 32 } } }],
  ["0s is the default", base, { ...base, server: { batching: { maxDelay: "0s" } } }],
  [
    "2ms is 2000us",
    { ...base, server: { batching: { maxDelay: "2ms" } } },
    { ...base, server: { batching: { maxDelay: "2000us" } } },
  ],
  ["default is the default account", base, { ...base, serviceAccountName: "default" }],
  ["no pull secrets is the default", base, { ...base, imagePullSecrets: [] }],
  [
    "the toleration that devices imply",
    { ...base, accelerator: nvidia },
    {
      ...base,
      accelerator: nvidia,
      scheduling: { tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }] },
    },
  ],
  ["keys have no order", { model: { uri, sha256: "a" } }, { model: { sha256: "a", uri } }],
];
const different: [string, RevisionSpec, RevisionSpec][] = [
  ["uri", base, { model: { uri: `${uri}x` } }],
  ["execution provider", base, { ...base, server: { executionProvider: "cpu" }, accelerator: nvidia }],
  [
    "request and limit",
    { ...base, resources: { requests: { cpu: 1 } } },
    { ...base, resources: { limits: { cpu: 1 } } },
  ],
  ["batching", base, { ...base, server: { batching: { maxBatchSize: 1 } } }],
  ["sharing", { ...base, accelerator: nvidia }, { ...base, accelerator: { ...nvidia, sharing: "mps" } }],
  [
    "a claim or a template for one",
    { ...base, accelerator: { ...nvidia, claims: [{ name: "gpu", resourceClaimName: "a" }] } },
    { ...base, accelerator: { ...nvidia, claims: [{ name: "gpu", resourceClaimTemplateName: "a" }] } },
  ],
  ["node selector", base, { ...base, scheduling: { nodeSelector: { pool: "" } } }],
  ["toleration", base, { ...base, scheduling: { tolerations: [{ operator: "Exists" }] } }],
  ["priority", base, { ...base, scheduling: { priorityClassName: "high" } }],
  ["runtime class", base, { ...base, scheduling: { runtimeClassName: "nvidia" } }],
  ["queue", base, { ...base, scheduling: { queueName: "team-a" } }],
  [
    "spread",
    base,
    { ...base, scheduling: { topologySpread: [{ topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }] } },
  ],
  ["account", base, { ...base, serviceAccountName: "a" }],
];

describe("canonical", () => {
  for (const [name, one, other] of same) it(name, () => assert.equal(canonical(one), canonical(other)));
  for (const [name, one, other] of different)
    it(`${name} matters`, () => assert.notEqual(canonical(one), canonical(other)));
});

describe("newRevisionName", () => {
  it("counts on when a name is taken", () => {
    const first = newRevisionName("a", base, new Set());
    assert.match(first, /^a-[0-9a-f]{8}$/);
    assert.notEqual(newRevisionName("a", base, new Set([first])), first);
  });
});

describe("parseRevision", () => {
  const stored = (spec: object): ControllerRevision => ({
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: { name: "a-00000000", annotations: { "berth.dev/promoted": "2" } },
    revision: 3,
    data: { spec, template: { spec: { containers: [{ name: "server" }] } } },
  });
  const read = (spec: object) => parseRevision(stored(spec)) ?? assert.fail("it was not read");

  it("reads what was stored", () => {
    const template = { spec: { containers: [{ name: "server" }] } };
    assert.deepEqual(read(base), { name: "a-00000000", spec: base, template, number: 3, promoted: 2 });
  });

  it("takes no number that no life comes to, since no other could follow it", () => {
    const most = stored(base);
    for (const number of [2 ** 53 - 1, 2 ** 63, -1, 0.5]) {
      const annotations = { "berth.dev/promoted": String(number) };
      const read = parseRevision({ ...most, metadata: { name: "a-00000000", annotations }, revision: number });
      assert.deepEqual([read?.number, read?.promoted], [0, undefined]);
    }
  });

  it("leaves out a field that this version does not know, as its API server does in the ModelDeployment", () => {
    const revision = read({ ...base, router: { retries: 3 }, server: { executionProvider: "cpu", warmUp: 2 } });
    assert.equal(revision.isForeign, undefined);
    assert.equal(canonical(revision.spec), canonical({ ...base, server: { executionProvider: "cpu" } }));
  });

  it("keeps a spec that this version refuses, without the fields that it refuses, as one that equals no other", () => {
    const refused = read({ ...base, accelerator: { vendor: "of tomorrow" }, serviceAccountName: "a" });
    assert.deepEqual(refused.spec, { ...base, serviceAccountName: "a" });
    assert.equal(refused.isForeign, true);
    const ofModel = read({ model: { uri, sha256: 5 } });
    assert.deepEqual([ofModel.spec, ofModel.isForeign], [base, true]);
  });

  it("does not read what no version of ours has stored", () => {
    assert.equal(parseRevision(stored({})), undefined);
    assert.equal(parseRevision({ ...stored(base), data: { spec: base } }), undefined);
  });
});
