import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { covers, replacement } from "./drift.ts";

const rule = { from: [{ namespaceSelector: { matchLabels: { a: "b" } } }], ports: [{ port: 9090, protocol: "TCP" }] };
const policy = { podSelector: { matchLabels: { app: "a" } }, ingress: [rule] };

const cases: [name: string, intended: object, observed: object, expected: boolean][] = [
  ["the API server's defaults", { spec: { a: 1 } }, { spec: { a: 1, b: 2 }, status: {} }, true],
  ["another value", { spec: { a: 1 } }, { spec: { a: 2 } }, false],
  ["a quantity in other words", { limits: { memory: "1024Mi" } }, { limits: { memory: "1Gi" } }, true],
  ["a key more in a selector", { selector: { a: "b" } }, { selector: { a: "b", c: "d" } }, false],
  ["a key more in a node selector", { nodeSelector: { a: "b" } }, { nodeSelector: { a: "b", c: "d" } }, false],
  ["a container more", { containers: [{ name: "a" }] }, { containers: [{ name: "b" }, { name: "a" }] }, true],
  [
    "containers in another order",
    { containers: [{ name: "a", image: "a" }, { name: "b" }] },
    { containers: [{ name: "b" }, { name: "a", image: "a" }] },
    true,
  ],
  [
    "two of one name, of which the second is meant",
    { containers: [{ name: "a", image: "a" }] },
    { containers: [{ name: "a" }, { name: "a", image: "a" }] },
    true,
  ],
  [
    "a container without its field",
    { containers: [{ name: "a", image: "a" }] },
    { containers: [{ name: "a" }] },
    false,
  ],
  ["a toleration more", { tolerations: [{ key: "a" }] }, { tolerations: [{ key: "a" }, { key: "b" }] }, false],
  ["the same policy", policy, structuredClone(policy), true],
  ["a policy that lets more in", policy, { ...policy, ingress: [{ ports: rule.ports }] }, false],
  [
    "a policy with a range of ports",
    policy,
    { ...policy, ingress: [{ ...rule, ports: [{ port: 9090, endPort: 9999, protocol: "TCP" }] }] },
    false,
  ],
  ["a policy with a rule more", policy, { ...policy, ingress: [rule, {}] }, false],
  [
    "a policy for fewer pods",
    policy,
    { ...policy, podSelector: { ...policy.podSelector, matchExpressions: [{ key: "b", operator: "Exists" }] } },
    false,
  ],
];

describe("covers", () => {
  for (const [name, intended, observed, expected] of cases)
    it(name, () => assert.equal(covers(intended, observed), expected));
});

it("removes what somebody added, also a label that is called like something that every object has", () => {
  assert.deepEqual(replacement({ labels: { a: "b" } }, { labels: { a: "b", constructor: "c", toString: "d" } }), {
    labels: { a: "b", constructor: null, toString: null },
  });
  assert.equal(covers({ labels: {} }, { labels: { constructor: "c" } }), true);
  assert.equal(covers({ labels: { constructor: {} } }, { labels: {} }), false);
});
