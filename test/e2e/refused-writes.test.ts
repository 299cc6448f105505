/** Writes that the API server does not take, by a webhook or for a right that was taken away: told, requests move on, and all heals. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { z } from "zod";
import { type LoadReport, startLoad } from "../world/client.ts";
import { OPERATOR_NAMESPACE } from "../world/helm.ts";
import { modelServerImage } from "../world/index.ts";
import { conditionOf, isReady, isStalled, type Seen, waitFor } from "../world/model-deployment.ts";
import { restrictedContainer, restrictedPod } from "../world/model-server.ts";
import { CLUSTER_PATIENCE_S, eventually } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

const WEBHOOK = "berth-e2e-refused-writes";
const TIMEOUT = `--timeout=${CLUSTER_PATIENCE_S}s`;
const routing = z.object({ routes: z.array(z.object({ revision: z.string(), weight: z.number() })) });
const deployments = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string() }), spec: z.object({ replicas: z.number() }) })),
});

describe("writes that are refused", () => {
  const { world, namespace } = useWorld("e2e-refused-writes");
  const key = { namespace, name: "held" };
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const applied = (requestTimeout: string) => {
    const rollout = { strategy: "canary", steps: [{ weight: "50%" }], analysis: { latency: { mode: "off" } } };
    const spec = { rollout, server: { requestTimeout }, traffic: { path: "router" } };
    return world().apply([modelDeployment(key.name, spec)], namespace);
  };
  const seen = (what: string, holds: (object: Seen) => boolean) => waitFor(world().cluster, key, what, holds);
  const tells = (words: RegExp) => (object: Seen) =>
    object.status.conditions.some(({ message = "" }) => words.test(message));
  const weights = ({ status }: Seen): Record<string, number> =>
    Object.fromEntries(
      routing.parse(status.traffic).routes.flatMap(({ revision, weight }) => (weight > 0 ? [[revision, weight]] : [])),
    );
  const isOnTrial = ({ status }: Seen) => /50 % of the requests go to/.test(status.message ?? "");
  const replicasOf = async (revision: string): Promise<number> =>
    deployments
      .parse(JSON.parse(await kubectl("get", "deployments", "-o", "json")))
      .items.find(({ metadata }) => metadata.name === revision)?.spec.replicas ?? 0;
  const during = async (act: () => Promise<unknown>): Promise<LoadReport> => {
    const { upright } = await question(192);
    const loaded = startLoad(world().cluster, {
      url: `http://${key.name}.${namespace}.svc/v2/models/${key.name}/infer`,
      ...{ body: inferBody(upright), expected: await answerHere(ANGLE_FILE, upright), perSecond: 2 },
    });
    await loaded.underWay();
    let last: LoadReport;
    try {
      await act();
    } finally {
      // whatever came of it: what is left running holds up the end of the file
      last = await loaded.stop();
    }
    return last;
  };

  after(() => world().cluster.kubectl(["delete", "validatingwebhookconfiguration", WEBHOOK, "--ignore-not-found"]));

  it("by a webhook that is down: a canary loses its requests all the same, and its pods when the webhook is gone", async () => {
    await applied("30s");
    const before = await seen("ready", isReady);
    const stable = before.status.stable?.revision ?? "";
    const report = await during(async () => {
      await applied("20s");
      const trial = await seen("on trial", isOnTrial);
      const canary = trial.status.canary?.revision ?? "";
      assert.deepEqual(weights(trial), { [stable]: 50, [canary]: 50 });
      await world().apply([webhookThatIsDown(namespace)]);
      // the API server learns of it a moment later
      const dry = () => kubectl("annotate", "deployment", canary, `tried=${Date.now()}`, "--dry-run=server");
      await eventually("writes are refused", () =>
        dry().then(
          () => false,
          () => true,
        ),
      );
      const { name } = z.object({ name: z.string() }).parse(trial.status.rollout);
      await kubectl("annotate", "modelrollout", name, "berth.dev/action=abort");
      // that it is stalled is true for a moment only: what is refused next is tried again and again
      const aborted = await seen("aborted", (object) => weights(object)[stable] === 100);
      assert.deepEqual(weights(aborted), { [stable]: 100 });
      const told = await seen("told of the webhook", tells(/failed calling webhook "down\.example\.com"/));
      assert.equal(conditionOf(told, "Available")?.status, "True");
      assert.equal(await replicasOf(canary), 1);
      await kubectl("delete", "validatingwebhookconfiguration", WEBHOOK);
      await eventually("the canary's pod goes", async () => (await replicasOf(canary)) === 0);
      await seen("stalled, and told of no webhook", (object) => isStalled(object) && !tells(/webhook/)(object));
    });
    assert.deepEqual(report.failures, []);
    assert.ok(report.answered > 10, `${report.answered} requests were answered`);
  });

  it("for a right that was taken away: what clients reach stays, and moves on when the right is back", async () => {
    const routed = (requestTimeout: string) =>
      world().apply(
        [modelDeployment(key.name, { server: { requestTimeout }, traffic: { path: "router" } })],
        namespace,
      );
    await routed("15s");
    const { status } = await seen("ready", isReady);
    const stable = status.stable?.revision ?? "";
    const right = await servicesRight();
    after(right.give);
    const report = await during(async () => {
      await right.take();
      await eventually("the right is gone", async () => !(await right.isHad()));
      // its pods are ready, and no router would find them: their Service cannot be made
      await routed("10s");
      const told = await seen("told of the right", tells(/cannot create resource "services" in API group ""/));
      assert.match(
        told.status.message ?? "",
        /give service account berth-system\/\S+ that right again \(create services\)/,
      );
      assert.deepEqual([told.status.stable?.revision, weights(told)], [stable, { [stable]: 100 }]);
      await world().apply([modelDeployment("late")], namespace);
      const late = await waitFor(world().cluster, { namespace, name: "late" }, "told of the right, too", (object) =>
        tells(/cannot create resource "services"/)(object),
      );
      assert.equal(isReady(late), false);
      assert.deepEqual([(await seen("served by the first", () => true)).status.stable?.revision], [stable]);
      await right.give();
      const moved = await seen("moved on", (object) => isReady(object) && object.status.stable?.revision !== stable);
      assert.deepEqual(Object.values(weights(moved)), [100]);
      await waitFor(world().cluster, { namespace, name: "late" }, "ready", isReady);
    });
    assert.deepEqual(report.failures, []);
  });

  it("by a webhook that never answers, in one namespace: it is told there, and the others go on", async () => {
    const deaf = "e2e-refused-writes-deaf";
    const names = ["one", "two", "three"];
    await world().namespace(deaf);
    after(() => world().cluster.kubectl(["delete", "namespace", deaf, "--wait=false", "--ignore-not-found"]));
    await world().apply(deafServer(await modelServerImage()), deaf);
    await world().cluster.kubectl(["wait", "-n", deaf, "pod/deaf", "--for=condition=Ready", TIMEOUT]);
    await world().apply([webhookThatIsDown(deaf, "deaf")]);
    const dry = () =>
      world().cluster.kubectl(["create", "deployment", "tried", "--image=x", "-n", deaf, "--dry-run=server"]);
    await eventually("writes hang", () =>
      dry().then(
        () => false,
        (error: unknown) => /deadline exceeded/.test(String(error)),
      ),
    );
    await world().apply(
      names.map((name) => modelDeployment(name)),
      deaf,
    );
    const of = (name: string, what: string, holds: (object: Seen) => boolean) =>
      waitFor(world().cluster, { namespace: deaf, name }, what, holds);
    for (const name of names) {
      const { status } = await of(name, "told of the webhook", tells(/failed calling webhook "down\.example\.com"/));
      assert.match(status.message ?? "", /create Deployment .*repair the service behind webhook down\.example\.com/);
    }
    await world().apply([modelDeployment("beside")], namespace);
    await waitFor(world().cluster, { namespace, name: "beside" }, "ready", isReady);
    await kubectl("delete", "validatingwebhookconfiguration", WEBHOOK);
    for (const name of names) await of(name, "ready", isReady);
  });

  /** What the operator may do with Services, everywhere. */
  const servicesRight = async () => {
    const binding = bindings
      .parse(JSON.parse(await kubectl("get", "clusterrolebindings", "-o", "json")))
      .items.find(({ subjects }) => subjects?.some((one) => one.namespace === OPERATOR_NAMESPACE));
    const role = `clusterrole/${binding?.roleRef.name}`;
    const { rules } = roles.parse(JSON.parse(await kubectl("get", role, "-o", "json")));
    const put = (value: object) =>
      kubectl("patch", role, "--type=json", "-p", JSON.stringify([{ op: "replace", path: "/rules", value }]));
    const account = binding?.subjects?.find((one) => one.namespace === OPERATOR_NAMESPACE)?.name;
    return {
      take: () => put(rules.flatMap(withoutServices)),
      give: () => put(rules),
      isHad: () =>
        kubectl(
          "auth",
          "can-i",
          "create",
          "services",
          `--as=system:serviceaccount:${OPERATOR_NAMESPACE}:${account}`,
        ).then(
          () => true,
          () => false,
        ),
    };
  };
});

const bindings = z.object({
  items: z.array(
    z.object({
      roleRef: z.object({ name: z.string() }),
      subjects: z.array(z.object({ name: z.string(), namespace: z.string().optional() })).optional(),
    }),
  ),
});
const rule = z.looseObject({ resources: z.array(z.string()).default([]), verbs: z.array(z.string()) });
const roles = z.object({ rules: z.array(rule) });

const withoutServices = (one: z.infer<typeof rule>): z.infer<typeof rule>[] =>
  one.resources.includes("services")
    ? [
        { ...one, resources: one.resources.filter((resource) => resource !== "services") },
        { ...one, resources: ["services"], verbs: ["get", "list", "watch"] },
      ].filter(({ resources }) => resources.length > 0)
    : [one];

/** It takes connections and says nothing. */
const deafServer = (image: string): object[] => [
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "deaf", labels: { app: "deaf" } },
    spec: {
      ...restrictedPod,
      containers: [
        {
          ...{ name: "deaf", image, imagePullPolicy: "IfNotPresent" },
          command: ["/usr/local/bin/node", "-e", 'require("node:net").createServer(() => {}).listen(8443)'],
          readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
          securityContext: restrictedContainer,
          resources: { requests: { cpu: "20m", memory: "64Mi" } },
        },
      ],
    },
  },
  {
    ...{ apiVersion: "v1", kind: "Service", metadata: { name: "deaf" } },
    spec: { selector: { app: "deaf" }, ports: [{ port: 443, targetPort: 8443 }] },
  },
];

/** For Deployments of the namespace: nothing answers for it, and it must be asked. */
const webhookThatIsDown = (namespace: string, name = "nowhere"): object => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: WEBHOOK },
  webhooks: [
    {
      name: "down.example.com",
      clientConfig: { service: { namespace, name, path: "/" } },
      rules: [
        {
          apiGroups: ["apps"],
          apiVersions: ["v1"],
          operations: ["CREATE", "UPDATE", "DELETE"],
          resources: ["deployments", "deployments/scale"],
        },
      ],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      failurePolicy: "Fail",
      sideEffects: "None",
      timeoutSeconds: 2,
      admissionReviewVersions: ["v1"],
    },
  ],
});
