import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { z } from "zod";
import { MODEL_DEPLOYMENTS } from "../../operator/api/v1alpha1/index.ts";
import { covers } from "../../operator/apply/drift.ts";
import { deployment } from "../../operator/controllers/model-deployment/children/deployment.ts";
import { disruptionBudget } from "../../operator/controllers/model-deployment/children/disruption-budget.ts";
import { networkPolicy } from "../../operator/controllers/model-deployment/children/network-policy.ts";
import { ownerOf } from "../../operator/controllers/model-deployment/children/owner.ts";
import { parseRevision } from "../../operator/controllers/model-deployment/revision.ts";
import { decode } from "../../operator/platform/kube/decode.ts";
import type { KubeObject, Resource } from "../../operator/platform/kube/objects.ts";
import {
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
} from "../../operator/platform/kube/resources.ts";
import { OPERATOR_NAMESPACE } from "../world/helm.ts";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { modelDeployment, useWorld } from "./world.ts";

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.object({
        nodeName: z.string(),
        nodeSelector: z.record(z.string(), z.string()),
        priority: z.number(),
        tolerations: z.array(z.looseObject({ key: z.string().optional() })),
      }),
    }),
  ),
});
const budgets = z.object({
  items: z.array(z.object({ status: z.object({ expectedPods: z.number(), disruptionsAllowed: z.number() }) })),
});
const policy = z.object({
  spec: z.object({
    podSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    ingress: z.array(
      z.object({ from: z.array(z.unknown()).optional(), ports: z.array(z.looseObject({ port: z.number() })) }),
    ),
  }),
});

describe("scheduling", () => {
  const { world, namespace } = useWorld("e2e-scheduling");
  const name = "placed";
  const PRIORITY = "berth-e2e-scheduling";
  const scheduling = {
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [{ key: "example.com/inference", operator: "Exists" }],
    priorityClassName: PRIORITY,
    queueName: "team-a",
    topologySpread: [{ topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" }],
  };

  after(async () => {
    await world().cluster.kubectl(["delete", "priorityclass", PRIORITY, "--ignore-not-found"]);
  });

  const get = async <T>(schema: z.ZodType<T>, ...what: string[]): Promise<T> =>
    schema.parse(JSON.parse((await world().cluster.kubectl(["get", ...what, "-n", namespace, "-o", "json"])).stdout));

  const apply = async (minReplicas: number) => {
    await world().apply([modelDeployment(name, { scheduling, scaling: { minReplicas } })], namespace);
    return await waitFor(world().cluster, { namespace, name }, "ready", isReady);
  };

  /** The budgets, once their controller has seen what `holds` asks for. */
  const budgetsWhere = async (holds: (seen: z.infer<typeof budgets>) => boolean) => {
    const all = () => get(budgets, "poddisruptionbudgets");
    await eventually("the disruption budgets are as they must be", async () => holds(await all()), all);
  };

  it("puts two pods on two nodes, as the spec asks, and lets drains take one at a time", async () => {
    await world().apply([
      {
        apiVersion: "scheduling.k8s.io/v1",
        kind: "PriorityClass",
        metadata: { name: PRIORITY },
        value: 1000,
        // The tests beside this one are to keep their pods.
        preemptionPolicy: "Never",
      },
    ]);
    await apply(2);
    const { items } = await get(pods, "pods");
    assert.equal(new Set(items.map(({ spec }) => spec.nodeName)).size, 2);
    for (const { metadata, spec } of items) {
      assert.deepEqual(spec.nodeSelector, scheduling.nodeSelector);
      assert.equal(spec.priority, 1000);
      assert.ok(spec.tolerations.some(({ key }) => key === "example.com/inference"));
      assert.equal(metadata.labels["kueue.x-k8s.io/queue-name"], "team-a");
    }
    await budgetsWhere(({ items: [one] }) => one?.status.expectedPods === 2 && one.status.disruptionsAllowed === 1);
  });

  it("keeps the admin port from all but the operator's and monitoring's namespaces", async () => {
    const { spec } = await get(policy, "networkpolicy", name);
    assert.equal(spec.podSelector.matchLabels["berth.dev/model-deployment"], name);
    const open = spec.ingress.filter(({ from }) => from === undefined).flatMap(({ ports }) => ports);
    assert.deepEqual(
      open.map(({ port }) => port),
      [8080, 8081],
    );
    const closed = spec.ingress.filter(({ from }) => from?.length === 2).flatMap(({ ports }) => ports);
    assert.deepEqual(
      closed.map(({ port }) => port),
      [9090],
    );
  });

  it("is given back by the API server as it was written, so that nothing is written again", async () => {
    const one = async <T extends KubeObject>(resource: Resource<T>, name: string): Promise<T> =>
      decode("get", resource, await get(z.unknown(), resource.plural, name));
    const object = await one(MODEL_DEPLOYMENTS, name);
    const owner = ownerOf(object);
    const revision = parseRevision(await one(CONTROLLER_REVISIONS, object.status?.stable?.revision ?? ""));
    assert.ok(revision);
    for (const [intended, observed] of [
      [deployment(owner, revision), await one(DEPLOYMENTS, revision.name)],
      [disruptionBudget(owner, revision.name), await one(POD_DISRUPTION_BUDGETS, revision.name)],
      [networkPolicy(owner, OPERATOR_NAMESPACE), await one(NETWORK_POLICIES, name)],
    ]) {
      assert.ok(covers(intended, observed), JSON.stringify({ intended, observed }));
    }
  });

  it("takes the budget away with the second pod", async () => {
    await apply(1);
    await budgetsWhere(({ items }) => items.length === 0);
  });

  it("says which claim the devices wait for", async () => {
    const spec = {
      accelerator: { vendor: "nvidia", claims: [{ name: "gpu", resourceClaimName: "nowhere" }] },
      server: { executionProvider: "cpu" },
    };
    await world().apply([modelDeployment("claiming", spec)], namespace);
    await waitFor(world().cluster, { namespace, name: "claiming" }, "told of its claim", ({ status }) =>
      /nowhere/.test(status.message ?? ""),
    );
  });
});
