/** Whose objects are whose: orphans, strangers, what others change, and the routers of a namespace with a quota. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { z } from "zod";
import { startLoad } from "../world/client.ts";
import { installChart } from "../world/helm.ts";
import { conditionOf, isReady, isStalled, type Seen, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

const owner = z.object({ uid: z.string(), controller: z.boolean().optional() });
const metadata = z.looseObject({
  name: z.string(),
  uid: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  ownerReferences: z.array(owner).default([]),
});
const child = z.looseObject({ kind: z.string(), metadata });
const list = z.object({ items: z.array(child) });
const managed = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({
        managedFields: z.array(
          z.looseObject({
            manager: z.string(),
            fieldsV1: z.looseObject({ "f:spec": z.looseObject({ "f:template": z.unknown().optional() }).optional() }),
          }),
        ),
      }),
    }),
  ),
});
const deployment = z.object({
  spec: z.object({
    replicas: z.number(),
    template: z.object({
      spec: z.looseObject({
        hostNetwork: z.boolean().optional(),
        containers: z.array(z.looseObject({ name: z.string(), env: z.array(z.object({ name: z.string() })) })),
      }),
    }),
  }),
});

const service = z.object({
  spec: z.looseObject({
    internalTrafficPolicy: z.string().optional(),
    publishNotReadyAddresses: z.boolean().optional(),
    sessionAffinity: z.string().optional(),
    ports: z.array(z.looseObject({ name: z.string().optional(), port: z.number() })),
  }),
});

const CHILDREN = "controllerrevisions,deployments,services,networkpolicies,poddisruptionbudgets,configmaps";
const MANAGED_BY = "app.kubernetes.io/managed-by";
describe("whose an object is", () => {
  const { world, namespace } = useWorld("e2e-ownership");
  const limited = "e2e-ownership-quota";
  const kubectlIn = async (where: string, ...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", where, ...args])).stdout;
  const kubectl = (...args: string[]) => kubectlIn(namespace, ...args);
  const seen = (name: string, what: string, holds: (object: Seen) => boolean, where = namespace) =>
    waitFor(world().cluster, { namespace: where, name }, what, holds);
  const childrenOf = async (name: string) =>
    list.parse(JSON.parse(await kubectl("get", CHILDREN, "-l", `berth.dev/model-deployment=${name}`, "-o", "json")))
      .items;
  const uids = async (name: string): Promise<string[]> =>
    (await childrenOf(name)).map(({ kind, metadata: { name: called, uid } }) => `${kind} ${called} ${uid}`).sort();
  const podsOf = async (name: string): Promise<string[]> =>
    list
      .parse(JSON.parse(await kubectl("get", "pods", "-l", `berth.dev/model-deployment=${name}`, "-o", "json")))
      .items.map(({ metadata: { uid } }) => uid);
  const templateOwners = async (name: string): Promise<string[]> => {
    const label = `berth.dev/model-deployment=${name}`;
    const text = await kubectl("get", "deployments", "-l", label, "--show-managed-fields", "-o", "json");
    const owned = managed.parse(JSON.parse(text)).items.flatMap(({ metadata: { managedFields } }) => managedFields);
    const ofTemplate = owned.filter(({ fieldsV1 }) => fieldsV1["f:spec"]?.["f:template"] !== undefined);
    return [...new Set(ofTemplate.map(({ manager }) => manager))].sort();
  };
  const two = { scaling: { minReplicas: 2 } };

  after(async () => {
    await installChart(world().helm);
    await world().cluster.kubectl(["delete", "namespace", limited, "--wait=false", "--ignore-not-found"]);
  });

  it("orphans of --cascade=orphan are adopted as they are, and not one request fails", async () => {
    await world().apply([modelDeployment("left", two)], namespace);
    const before = await seen("left", "ready", isReady);
    const children = await uids("left");
    assert.ok(children.length >= 6, children.join());
    const { upright } = await question(192);
    const loaded = startLoad(world().cluster, {
      url: `${before.status.url}/v2/models/left/infer`,
      ...{ body: inferBody(upright), expected: await answerHere(ANGLE_FILE, upright), perSecond: 20 },
    });
    await kubectl("delete", "mdeploy", "left", "--cascade=orphan");
    await world().apply([modelDeployment("left", two)], namespace);
    const after = await seen("left", "ready again", isReady);
    assert.notEqual(after.metadata.uid, before.metadata.uid);
    assert.equal(after.status.stable?.revision, before.status.stable?.revision);
    await eventually("all adopted", async () =>
      (await childrenOf("left")).every(({ metadata: { ownerReferences } }) =>
        ownerReferences.some(({ controller, uid }) => controller === true && uid === after.metadata.uid),
      ),
    );
    assert.deepEqual(await uids("left"), children);
    assert.deepEqual((await loaded.stop()).failures, []);
  });

  it("what a restore brings back without owners, uids and status is adopted", async () => {
    await world().apply([modelDeployment("restored", two)], namespace);
    const before = await seen("restored", "ready", isReady);
    const saved = (await childrenOf("restored")).map(
      ({ metadata: { name, labels, annotations }, status: _, ...rest }) => ({
        ...rest,
        metadata: { name, namespace, labels, annotations },
      }),
    );
    const withoutAddress = saved.map((object) => {
      const spec = z
        .looseObject({ clusterIP: z.string().optional() })
        .safeParse("spec" in object ? object.spec : {}).data;
      if (object.kind !== "Service" || spec === undefined || spec.clusterIP === "None") return object;
      const { clusterIP: _, clusterIPs: __, ...kept } = spec;
      return { ...object, spec: kept };
    });
    await kubectl("delete", "mdeploy", "restored", "--cascade=foreground");
    await world().apply(withoutAddress, namespace);
    const restored = await uids("restored");
    await world().apply([modelDeployment("restored", two)], namespace);
    const after = await seen("restored", "ready again", isReady);
    assert.equal(after.status.stable?.revision, before.status.stable?.revision);
    assert.deepEqual(await uids("restored"), restored);
    // the backup set every field of the pod template
    await eventually("the template Berth's alone", async () => (await templateOwners("restored")).join() === "berth");
    const pods = await podsOf("restored");
    for (const minReplicas of [3, 4]) {
      await world().apply([modelDeployment("restored", { scaling: { minReplicas } })], namespace);
      await eventually(`${minReplicas} pods`, async () => (await podsOf("restored")).length === minReplicas);
    }
    const later = await podsOf("restored");
    assert.deepEqual(
      pods.filter((uid) => !later.includes(uid)),
      [],
    );
    assert.equal(await kubectl("get", "events", "--field-selector", "reason=WriteUndone", "-o", "name"), "");
  });

  it("strangers are all named at once, and left alone", async () => {
    const metadata = { name: "taken" };
    await world().apply(
      [
        { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec: { podSelector: {} } },
        { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 80 }] } },
      ],
      namespace,
    );
    await world().apply([modelDeployment("taken")], namespace);
    const { status } = await seen("taken", "stalled", isStalled);
    assert.match(
      status.message ?? "",
      /Service taken and NetworkPolicy taken exist and belong to something else; delete them/,
    );
  });

  it("a child whose labels somebody has changed gets them back", async () => {
    await kubectl("label", "service", "left", `${MANAGED_BY}=Helm`, "--overwrite");
    await eventually("labelled as before", async () =>
      (await childrenOf("left")).some(
        ({ kind, metadata: { labels, name } }) =>
          kind === "Service" && name === "left" && labels[MANAGED_BY] === "berth",
      ),
    );
  });

  it("what sends requests astray is taken off a Service, and what does no harm stays", async () => {
    const read = async () => service.parse(JSON.parse(await kubectl("get", "service", "left", "-o", "json"))).spec;
    const { ports } = await read();
    const [first, ...rest] = ports;
    assert.ok(first !== undefined);
    const astray = {
      ...{ internalTrafficPolicy: "Local", publishNotReadyAddresses: true, sessionAffinity: "ClientIP" },
      ports: [{ ...first, port: 4242 }, ...rest],
    };
    await kubectl("patch", "service", "left", "--type=merge", "-p", JSON.stringify({ spec: astray }));
    await eventually(
      "as Berth wants it",
      async () => {
        const { internalTrafficPolicy, ports, publishNotReadyAddresses = false } = await read();
        const isBack = ports.some(({ name, port }) => name === first.name && port === first.port);
        return (
          internalTrafficPolicy === "Cluster" && !publishNotReadyAddresses && isBack && ports.length === 1 + rest.length
        );
      },
      read,
    );
    assert.equal((await read()).sessionAffinity, "ClientIP");
    await seen("left", "ready", isReady);
  });

  it("the routers' name is refused, and what is put into their pods is taken out", async () => {
    const refused = await world()
      .apply([modelDeployment("berth-router")], namespace)
      .then(
        () => "",
        (error: unknown) => String(error),
      );
    assert.match(refused, /berth-router is the name of Berth's routers/);
    await world().apply([modelDeployment("routed", { traffic: { path: "router" } })], namespace);
    await seen("routed", "ready", isReady);
    const patch = {
      spec: {
        template: {
          spec: {
            containers: [
              { name: "router", env: [{ name: "LD_PRELOAD", value: "/tmp/x.so" }] },
              { name: "sidecar", image: "localhost/none:1", imagePullPolicy: "Never" },
            ],
          },
        },
      },
    };
    await kubectl("patch", "deployment", "berth-router", "--type=strategic", "-p", JSON.stringify(patch));
    await eventually("without them", async () => {
      const { spec } = deployment.parse(JSON.parse(await kubectl("get", "deployment", "berth-router", "-o", "json")));
      const { containers } = spec.template.spec;
      return containers.length === 1 && containers[0]?.env.every(({ name }) => name !== "LD_PRELOAD") === true;
    });
    await seen("routed", "ready", isReady);
  });

  it("a quota in the routers' way is told of where they are waited for, and they fit it with limits from the chart", async () => {
    await world().namespace(limited);
    const quota = {
      ...{ apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "q" } },
      spec: { hard: { "limits.cpu": "8", "limits.memory": "8Gi" } },
    };
    const spec = { resources: { limits: { cpu: "500m", memory: "512Mi" } }, traffic: { path: "router" } };
    await world().apply([quota, modelDeployment("limited", spec)], limited);
    const told = await seen(
      "limited",
      "told of the quota",
      ({ status }) => /the routers/.test(status.message ?? ""),
      limited,
    );
    assert.equal(conditionOf(told, "Ready")?.reason, "QuotaExceeded");
    assert.match(
      told.status.message ?? "",
      /must specify limits\.cpu.*set limits\.cpu in router\.resources of Berth's chart/,
    );
    await installChart(world().helm, ["router.resources.limits.cpu=1"]);
    await seen("limited", "ready", isReady, limited);
  });
});
