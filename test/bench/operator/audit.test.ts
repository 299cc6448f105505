import assert from "node:assert/strict";
import { test } from "node:test";
import { countByWhat, parseAudit } from "./audit.ts";

const line = (verb: string, resource: string, more: object = {}): string =>
  `${JSON.stringify({ verb, stageTimestamp: "2026-01-01T00:00:01.500000Z", objectRef: { resource, ...more } })}\n`;

test("work is counted, watches and renewals of the lease are not, and a half-written line waits", () => {
  const text =
    line("create", "deployments") +
    line("watch", "pods") +
    line("patch", "leases") +
    line("patch", "modeldeployments", { subresource: "status" }) +
    line("patch", "modeldeployments", { subresource: "status" }) +
    line("list", "pods") +
    line("create", "services").slice(0, 20);
  const requests = parseAudit(text);
  assert.deepEqual(countByWhat(requests), [
    ["patch modeldeployments/status", 2],
    ["create deployments", 1],
    ["list pods", 1],
  ]);
  assert.equal(requests.filter(({ writes }) => writes).length, 3);
  assert.equal(requests[0]?.at, Date.UTC(2026, 0, 1, 0, 0, 1, 500));
});
