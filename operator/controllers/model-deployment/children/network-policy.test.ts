import assert from "node:assert/strict";
import { it } from "node:test";
import { networkPolicy } from "./network-policy.ts";

it("the admin port is for the operator's namespace and for monitoring, the data ports are for all", () => {
  const policy = networkPolicy({ name: "digits", namespace: "default", uid: "1" }, "berth-system");
  assert.deepEqual(policy.spec?.policyTypes, ["Ingress"]);
  assert.deepEqual(JSON.parse(JSON.stringify(policy.spec?.ingress)), [
    {
      ports: [
        { port: 8080, protocol: "TCP" },
        { port: 8081, protocol: "TCP" },
      ],
    },
    {
      from: [
        { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "berth-system" } } },
        { namespaceSelector: { matchLabels: { "berth.dev/monitoring": "true" } } },
      ],
      ports: [{ port: 9090, protocol: "TCP" }],
    },
  ]);
});
