import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { type Manifest, render } from "./render.ts";

/** "kind, name of the role, its namespace (absent: of the cluster), group/resource, perhaps /name, verbs". */
const rulesOf = (manifests: readonly Manifest[]) =>
  manifests.flatMap(({ kind, metadata, rules = [] }) =>
    rules.flatMap((rule) =>
      rule.resources.flatMap((resource) =>
        rule.apiGroups.map((group) => {
          const where = kind === "Role" && metadata.namespace !== "berth-system" ? ` in ${metadata.namespace}` : "";
          const names = (rule.resourceNames ?? []).map((name) => `/${name}`).join("");
          return `${kind} ${metadata.name}${where} ${group || "core"}/${resource}${names} ${rule.verbs.join(",")}`;
        }),
      ),
    ),
  );

const IN_A_NAMESPACE = [
  "berth.dev/modeldeployments get,list,watch",
  "berth.dev/modeldeployments/status patch",
  "berth.dev/modelrollouts create,delete,get,list,patch,watch",
  "berth.dev/modelrollouts/status patch",
  "berth.dev/modeldeployments/finalizers update",
  "apps/controllerrevisions create,delete,get,list,patch,watch",
  "apps/deployments create,delete,get,list,patch,watch",
  "core/configmaps create,delete,get,list,patch,watch",
  "core/services create,delete,get,list,patch,watch",
  "policy/poddisruptionbudgets create,delete,get,list,patch,watch",
  "networking.k8s.io/networkpolicies create,delete,get,list,patch,watch",
  "core/pods delete,get,list,watch",
  "core/serviceaccounts create,delete,get,list,patch,watch",
  "rbac.authorization.k8s.io/rolebindings create,delete,get,list,patch,watch",
  "discovery.k8s.io/endpointslices list,watch",
  "events.k8s.io/events create,patch",
];
const OF_THE_CLUSTER = [
  "core/nodes list",
  "scheduling.k8s.io/priorityclasses list",
  "resource.k8s.io/deviceclasses list",
  "resource.k8s.io/resourceclaims list",
  "resource.k8s.io/resourceslices list",
  "coordination.k8s.io/leases get",
  "karpenter.sh/nodepools list",
];
const OF_A_ROUTER = ["berth.dev/modeldeployments list,watch", "discovery.k8s.io/endpointslices list,watch"];
const AGGREGATED = [
  "ClusterRole berth-operator-view:berth-system berth.dev/modeldeployments get,list,watch",
  "ClusterRole berth-operator-view:berth-system berth.dev/modelrollouts get,list,watch",
  "ClusterRole berth-operator-view:berth-system berth.dev/modeldeployments/scale get",
  "ClusterRole berth-operator-view:berth-system berth.dev/modeldeployments/status get",
  "ClusterRole berth-operator-view:berth-system berth.dev/modelrollouts/status get",
  "ClusterRole berth-operator-edit:berth-system berth.dev/modeldeployments create,delete,deletecollection,patch,update",
  "ClusterRole berth-operator-edit:berth-system berth.dev/modeldeployments/scale patch,update",
  "ClusterRole berth-operator-edit:berth-system berth.dev/modelrollouts patch,update",
];
const ITS_OWN = [
  "Role berth-operator coordination.k8s.io/leases create,get,patch",
  "Role berth-operator-test berth.dev/modeldeployments create",
];
const of = (role: string, rules: readonly string[]) => rules.map((rule) => `${role} ${rule}`);
const everywhere = [
  ...of("ClusterRole berth-operator:berth-system", IN_A_NAMESPACE),
  ...of("ClusterRole berth-operator:berth-system", OF_THE_CLUSTER),
  ...of("ClusterRole berth-operator-router:berth-system", OF_A_ROUTER),
];
const inNamespaces = (...namespaces: string[]) =>
  namespaces.flatMap((namespace) => [
    ...of(`Role berth-operator-models:berth-system in ${namespace}`, IN_A_NAMESPACE),
    ...of(`Role berth-operator-router:berth-system in ${namespace}`, OF_A_ROUTER),
  ]);

/** Whoever widens what the operator may do changes these lists, and a reviewer sees it. */
const MODES: [string[], string[]][] = [
  [[], [...AGGREGATED, ...everywhere, ...ITS_OWN]],
  [
    ["replicas=3", "models.allowHttp=true"],
    [...AGGREGATED, ...everywhere, ...ITS_OWN],
  ],
  [
    ["rbac.clusterReads=false", "rbac.aggregate=false"],
    [...everywhere.filter((rule) => !OF_THE_CLUSTER.some((read) => rule.endsWith(read))), ...ITS_OWN],
  ],
  [
    ["watchNamespaces={a,b}"],
    [
      ...AGGREGATED,
      ...of("ClusterRole berth-operator:berth-system", [
        "core/pods list",
        "core/configmaps/cluster-autoscaler-status get",
        ...OF_THE_CLUSTER,
      ]),
      ...inNamespaces("a", "b"),
      ...ITS_OWN,
    ],
  ],
  [
    ["watchNamespaces={a}", "rbac.clusterReads=false", "rbac.aggregate=false"],
    [...inNamespaces("a"), ...ITS_OWN],
  ],
];

test("the rights are exactly these, in every mode", async () => {
  for (const [values, rights] of MODES)
    assert.deepEqual(rulesOf(await render(...values)).sort(), rights.toSorted(), values.join());
});

test("no right reads a Secret, is a wildcard, or can be raised", async () => {
  for (const [values] of MODES)
    for (const { rules = [] } of await render(...values))
      for (const { apiGroups, resources, verbs } of rules) {
        const words = [...apiGroups, ...resources, ...verbs];
        assert.ok(!words.some((word) => word.includes("*")));
        for (const never of ["secrets", "pods/exec", "serviceaccounts/token", "escalate", "bind", "impersonate"])
          assert.ok(!words.includes(never), never);
      }
});

const Labelled = z.looseObject({ labels: z.record(z.string(), z.string()).optional() });

/** Of which built-in roles a role is a part. */
const aggregatedTo = async (name: string) => {
  const role = (await render()).find((one) => one.kind === "ClusterRole" && one.metadata.name === name);
  const prefix = "rbac.authorization.k8s.io/aggregate-to-";
  return Object.entries(Labelled.parse(role?.metadata).labels ?? {})
    .filter(([label, value]) => label.startsWith(prefix) && value === "true")
    .map(([label]) => label.slice(prefix.length));
};

test("view sees, edit and admin change, and nobody writes a status", async () => {
  assert.deepEqual(await aggregatedTo("berth-operator-view:berth-system"), ["view", "edit", "admin"]);
  assert.deepEqual(await aggregatedTo("berth-operator-edit:berth-system"), ["edit", "admin"]);
  const writes = AGGREGATED.filter((rule) => /create|delete|patch|update/.test(rule));
  assert.ok(writes.length > 0 && writes.every((rule) => !rule.includes("/status") && !rule.includes("-view:")));
});

const Binding = z.looseObject({
  roleRef: z.strictObject({ apiGroup: z.string(), kind: z.string(), name: z.string() }),
  subjects: z.array(z.strictObject({ kind: z.string(), name: z.string(), namespace: z.string() })),
});

test("every role but the routers' and the aggregated ones is bound where it is, to the operator alone", async () => {
  for (const [values] of MODES) {
    const manifests = await render(...values);
    const bound = manifests
      .filter(({ kind, metadata }) => kind.endsWith("Binding") && !metadata.name.endsWith("-test"))
      .map((manifest) => {
        const { roleRef, subjects } = Binding.parse(manifest);
        assert.deepEqual(subjects, [{ kind: "ServiceAccount", name: "berth-operator", namespace: "berth-system" }]);
        return `${roleRef.kind} ${roleRef.name} ${manifest.metadata.namespace ?? ""}`;
      });
    const roles = manifests
      .filter(({ kind, metadata }) => kind.endsWith("Role") && !/-(router|view|edit|test)(:|$)/.test(metadata.name))
      .map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.namespace ?? ""}`);
    assert.deepEqual(bound.sort(), roles.sort());
  }
});
