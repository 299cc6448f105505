/** Names of what the chart makes: no two releases of one cluster have the same, and each is one that its kind may have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CHART, helm, type Manifest, parseManifests } from "./render.ts";

const LONG = "a-team-with-a-name-that-begins-like-another";
/** `prod-berth` is what the default name makes of `prod`; numbers and `null` are something else in YAML. */
const RELEASES = [
  ...["berth", "berth-a", "a-berth", "prod", "prod-berth", "prod-berth-operator"],
  ...[`${LONG}-east`, `${LONG}-west`, `${LONG}-berth`, `${LONG}-berth-2`, LONG],
  ...["123", "123-berth", "1e3", "0x1f", "null", "true", "a.b", "a.b-berth", "a-b"],
];
const NAMESPACES = ["berth-system", "123"];

const renderAs = async (release: string, namespace: string): Promise<Manifest[]> =>
  parseManifests(
    await helm(
      ...["template", release, CHART, "--namespace", namespace, "--kube-version", "1.30.0"],
      ...["--set", "watchNamespaces={team},crds.enabled=false,replicas=2"],
    ),
  );

const LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

test("no two releases have a name in common, and every name is a legal one", async () => {
  const seen = new Map<string, string>();
  for (const namespace of NAMESPACES)
    for (const release of RELEASES)
      for (const { kind, metadata } of await renderAs(release, namespace)) {
        const id = `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
        const whose = `${release} in ${namespace}`;
        assert.equal(seen.get(id), undefined, `${id} of ${whose}`);
        seen.set(id, whose);
        const isRbac = /^(Cluster)?Role(Binding)?$/.test(kind);
        const [label = "", home] = isRbac ? metadata.name.split(":") : [metadata.name];
        assert.match(label, LABEL, id);
        assert.ok(label.length <= 63, id);
        assert.equal(home, isRbac && metadata.namespace !== namespace ? namespace : undefined, id);
      }
});
