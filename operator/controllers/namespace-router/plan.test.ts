import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ModelDeployment, ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { signed } from "../../apply/signature.ts";
import type { Deployment, KubeObject, NetworkPolicy, ObjectMeta } from "../../platform/kube/objects.ts";
import { routerAccount, routerBinding } from "./children/account.ts";
import { type RouterResources, routerDeployment } from "./children/deployment.ts";
import { routerBudget, routerPolicy } from "./children/protection.ts";
import { type ObservedRouter, planRouter } from "./plan.ts";

const user = (name: string, spec: Partial<ModelDeploymentSpec> = {}): ModelDeployment => ({
  apiVersion: "berth.dev/v1alpha1",
  kind: "ModelDeployment",
  metadata: { name, namespace: "a", uid: `uid-${name}` },
  spec: { model: { uri: "https://models.example.com/a.onnx" }, traffic: { path: "router" }, ...spec },
});
const resources: RouterResources = { requests: { cpu: "100m" }, limits: {} };
const settings = {
  ...{ runtimeImage: "r:1", runtimeImagePullPolicy: "Never", operatorNamespace: "o", resources },
  role: { kind: "ClusterRole", name: "router" } as const,
};

const stored = <T extends KubeObject>(object: T, metadata: Partial<ObjectMeta> = {}): T => {
  const applied = signed(object);
  const managedFields = [{ manager: "berth" }];
  return {
    ...applied,
    metadata: { ...applied.metadata, uid: object.kind, resourceVersion: "1", managedFields, ...metadata },
  };
};
/** As this version has made it for `users`. */
const made = (users: ModelDeployment[]): ObservedRouter => {
  const owner = { namespace: "a", users };
  return {
    ...owner,
    deployment: stored(routerDeployment(owner, settings)),
    account: stored(routerAccount(owner)),
    binding: stored(routerBinding(owner, settings.role)),
    budget: stored(routerBudget(owner)),
    policy: stored(routerPolicy(owner, settings.operatorNamespace)),
  };
};
const router = made([user("one")]);
const withDeployment = (change: (deployment: Deployment) => Deployment): ObservedRouter => {
  const { deployment } = router;
  assert.ok(deployment);
  return { ...router, deployment: change(deployment) };
};
const verbs = (observed: ObservedRouter, using = settings): string[] =>
  planRouter(observed, using).actions.map(({ resource, verb }) => `${verb} ${resource.kind}`);

describe("the router of a namespace", () => {
  it("is left alone where it is as it should be", () => {
    assert.deepEqual(planRouter(router, settings), { actions: [], strangers: [], isRoll: false });
  });

  it("listens on IPv6 and IPv4", () => {
    const { args = [] } = router.deployment?.spec?.template.spec?.containers[0] ?? {};
    assert.equal(args[args.indexOf("--host") + 1], "::");
  });

  it("is not ended by a node that answers its probes late", () => {
    const { livenessProbe, startupProbe } = router.deployment?.spec?.template.spec?.containers[0] ?? {};
    for (const probe of [livenessProbe, startupProbe]) assert.ok((probe?.timeoutSeconds ?? 1) >= 5);
  });

  it("loses what somebody else has put into its pods, and begins again where it was paused", () => {
    const edited = withDeployment((deployment) => ({
      ...deployment,
      metadata: { ...deployment.metadata, managedFields: [{ manager: "berth" }, { manager: "kubectl-edit" }] },
    }));
    assert.deepEqual(verbs(edited), ["restore Deployment"]);
    assert.equal(planRouter(edited, settings).isRoll, false);
    const paused = withDeployment(({ spec, ...rest }) => {
      assert.ok(spec);
      return { ...rest, spec: { ...spec, paused: true } };
    });
    const [action] = planRouter(paused, settings).actions;
    assert.ok(action?.verb === "restore");
    assert.ok(JSON.stringify(action.object.spec).includes('"paused":null'));
  });

  it("gets no more from a policy or a role than was written", () => {
    const { binding, policy } = router;
    assert.ok(binding && policy);
    const open: NetworkPolicy = { ...policy, spec: { podSelector: {}, ...policy.spec, ingress: [{}] } };
    assert.deepEqual(verbs({ ...router, policy: open }), ["apply NetworkPolicy"]);
    const stranger = { kind: "ServiceAccount", name: "stranger", namespace: "a" };
    const shared = { ...binding, subjects: [...(binding.subjects ?? []), stranger] };
    assert.deepEqual(verbs({ ...router, binding: shared }), ["apply RoleBinding"]);
  });

  it("is repaired where its labels or its owners were taken off", () => {
    const { policy } = router;
    assert.ok(policy);
    const { labels: _, ...unlabelled } = policy.metadata;
    assert.deepEqual(verbs({ ...router, policy: { ...policy, metadata: unlabelled } }), ["apply NetworkPolicy"]);
    const { ownerReferences: __, ...orphaned } = policy.metadata;
    assert.deepEqual(verbs({ ...router, policy: { ...policy, metadata: orphaned } }), ["apply NetworkPolicy"]);
  });

  it("never writes what belongs to something else: not for a while, and not at its end", () => {
    const controller = { apiVersion: "berth.dev/v1alpha1", kind: "ModelDeployment", name: "berth-router", uid: "x" };
    const labels = { "app.kubernetes.io/managed-by": "berth", "berth.dev/model-deployment": "berth-router" };
    const metadata = {
      name: "berth-router",
      namespace: "a",
      labels,
      ownerReferences: [{ ...controller, controller: true }],
    };
    const policy: NetworkPolicy = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata };
    const inTheWay = { ...router, policy };
    assert.deepEqual(verbs(inTheWay), []);
    assert.deepEqual(planRouter(inTheWay, settings).strangers, ["NetworkPolicy berth-router"]);
    assert.equal(verbs({ ...inTheWay, users: [] }).includes("delete NetworkPolicy"), false);
    assert.equal(verbs({ ...inTheWay, users: [] }).length, 4);
  });

  it("is replaced by other settings and another version, all of its template", () => {
    const limited = { ...settings, resources: { ...resources, limits: { cpu: "1" } } };
    assert.deepEqual(verbs(router, limited), ["restore Deployment", "apply Deployment"]);
    assert.equal(planRouter(router, limited).isRoll, true);
    const unlimited = { ...settings, resources: { requests: {}, limits: {} } };
    assert.deepEqual(verbs(router, unlimited), ["apply Deployment"]);
    const trustingNobody = { ...settings, trustForwarded: "none" };
    assert.deepEqual(verbs(router, trustingNobody), []);
    const trusting = planRouter(router, { ...settings, trustForwarded: "10.0.0.0/8" });
    assert.ok(JSON.stringify(trusting).includes('"--trust-forwarded","10.0.0.0/8"'));
    assert.equal(trusting.isRoll, true);
  });

  it("is not replaced for another user, or for a request that lasts a little longer or shorter", () => {
    const users = [user("one"), user("two", { server: { requestTimeout: "45s" } })];
    const { isRoll } = planRouter({ ...router, users }, settings);
    assert.equal(isRoll, false);
    const long = user("two", { server: { requestTimeout: "10m" } });
    const both = [user("one"), long];
    assert.equal(planRouter({ ...router, users: both }, settings).isRoll, true);
    assert.deepEqual(planRouter({ ...made(both), users: [user("one")] }, settings).isRoll, false);
  });
});
