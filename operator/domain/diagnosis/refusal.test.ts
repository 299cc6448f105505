import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refusalOf } from "./refusal.ts";

const account = "system:serviceaccount:berth-system:berth-operator";

describe("what is to be done about a write that is not taken", () => {
  for (const [what, said, reason, cure] of [
    [
      "a right that was taken away",
      `create Service a/digits: services is forbidden: User "${account}" cannot create resource "services" in API group "" in the namespace "a"`,
      undefined,
      "give service account berth-system/berth-operator that right again (create services), as the roles of Berth's chart do",
    ],
    [
      "one of another group, of a user",
      'patch Deployment a/d: User "jane" cannot patch resource "deployments/scale" in API group "apps" in the namespace "a"',
      undefined,
      "give user jane that right again (patch apps/deployments/scale), as the roles of Berth's chart do",
    ],
    [
      "no answer",
      "apply NetworkPolicy a/digits: no answer within 30 s",
      undefined,
      "find out what holds it up, such as an admission webhook (kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations)",
    ],
    [
      "a webhook that is late",
      'Internal error occurred: failed calling webhook "w.example.com": context deadline exceeded',
      "AdmissionDenied",
      "repair the service behind webhook w.example.com, or remove its configuration",
    ],
  ] as const) {
    it(what, () => assert.deepEqual(refusalOf(said), { reason, message: `${said}; ${cure}` }));
  }
});
