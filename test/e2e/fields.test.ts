/** What users put on pods and Services, and pods whose user the namespace chooses. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import { ANGLE, modelDeployment, useWorld } from "./world.ts";

const metadata = z.looseObject({
  name: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
});
const pods = z.object({
  items: z.array(
    z.object({
      metadata,
      spec: z.looseObject({
        initContainers: z.array(z.looseObject({ resources: z.unknown() })),
        containers: z.array(z.looseObject({ env: z.array(z.looseObject({ name: z.string(), value: z.string() })) })),
      }),
    }),
  ),
});
const service = z.object({ metadata });
const deployment = z.object({ spec: z.object({ template: z.object({ spec: z.looseObject({}) }) }) });

/** As OpenShift gives its namespaces: far from any user of an image, in the root group. */
const ANY_USER = { runAsNonRoot: true, runAsUser: 1_000_650_000, runAsGroup: 0, fsGroup: 1_000_650_000 };

describe("fields of pods and Services", () => {
  const { world, namespace } = useWorld("e2e-fields");
  const key = { namespace, name: "fields" };
  const kubectl = async (args: string[], input?: string): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args], input === undefined ? {} : { input })).stdout;
  const get = async <T>(schema: z.ZodType<T>, ...args: string[]): Promise<T> =>
    schema.parse(JSON.parse(await kubectl(["get", ...args, "-o", "json"])));
  const myPods = async () => (await get(pods, "pods", "-l", "berth.dev/model-deployment=fields")).items;
  const serve = async (spec: Record<string, unknown>) => {
    await world().apply([modelDeployment("fields", { ...spec, ...ofPods })], namespace);
    await waitFor(world().cluster, key, "ready", isReady);
  };
  const ofPods = {
    podLabels: { team: "a" },
    podAnnotations: { "example.com/note": "x" },
    server: { env: [{ name: "OMP_NUM_THREADS", value: "$(HOME)" }] },
    model: {
      uri: ANGLE,
      fetch: { resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { memory: "128Mi" } } },
    },
  };

  it("reach the pods and the Service", async () => {
    await serve({ service: { labels: { team: "a" }, annotations: { "example.com/note": "y" } } });
    const [pod] = await myPods();
    assert.equal(pod?.metadata.labels.team, "a");
    assert.equal(pod?.metadata.annotations["example.com/note"], "x");
    assert.deepEqual(pod?.spec.initContainers[0]?.resources, ofPods.model.fetch.resources);
    assert.ok(
      pod?.spec.containers[0]?.env.some(({ name, value }) => name === "OMP_NUM_THREADS" && value === "$$(HOME)"),
    );
    const client = await get(service, "service", "fields");
    assert.equal(client.metadata.labels.team, "a");
    assert.equal(client.metadata.annotations["example.com/note"], "y");
  });

  it("leave the Service when they leave the spec, and no pod is made anew", async () => {
    const before = (await myPods()).map(({ metadata: { name } }) => name);
    await serve({});
    const client = await get(service, "service", "fields");
    assert.equal(client.metadata.labels.team, undefined);
    assert.equal(client.metadata.annotations["example.com/note"], undefined);
    assert.deepEqual(
      (await myPods()).map(({ metadata: { name } }) => name),
      before,
    );
  });

  it("a pod serves as any user that its namespace gives it", async () => {
    const [pod] = await myPods();
    const name = pod?.metadata.labels["berth.dev/revision"] ?? "";
    const { spec } = (await get(deployment, "deployment", name)).spec.template;
    const securityContext = { ...ANY_USER, seccompProfile: { type: "RuntimeDefault" } };
    const other = { apiVersion: "v1", kind: "Pod", metadata: { name: "other" }, spec: { ...spec, securityContext } };
    await kubectl(["create", "-f", "-"], JSON.stringify(other));
    await kubectl(["wait", "--for=condition=Ready", "pod/other", `--timeout=${CLUSTER_PATIENCE_S}s`]);
  });
});
