import assert from "node:assert/strict";
import { test } from "node:test";
import { loadAll } from "js-yaml";
import { plainManifests } from "./kustomize.ts";

test("Helm's labels go, from the object and from its pods; all else stays", () => {
  const rendered = `---
# Source: berth/templates/a.yaml
kind: Deployment
metadata:
  name: a
  labels: {app: a, helm.sh/chart: berth-1, app.kubernetes.io/managed-by: Helm}
spec:
  replicas: 1
  template:
    metadata:
      labels: {app: a, helm.sh/chart: berth-1}
    spec: {containers: []}
---
---
kind: ClusterRole
metadata: {name: b}
rules: []
`;
  const text = plainManifests(rendered);
  assert.match(text, /^# Generated/);
  assert.deepEqual(loadAll(text), [
    {
      kind: "Deployment",
      metadata: { name: "a", labels: { app: "a" } },
      spec: { replicas: 1, template: { metadata: { labels: { app: "a" } }, spec: { containers: [] } } },
    },
    { kind: "ClusterRole", metadata: { name: "b" }, rules: [] },
  ]);
});
