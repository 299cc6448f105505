/** Writes that the API server does not take, for a webhook that is down: told, and requests move on. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { z } from "zod";
import { type LoadReport, startLoad } from "../world/client.ts";
import { conditionOf, isReady, isStalled, type Seen, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

const WEBHOOK = "berth-e2e-refused-writes";
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
      const aborted = await seen("aborted", (object) => isStalled(object) && weights(object)[stable] === 100);
      assert.deepEqual(weights(aborted), { [stable]: 100 });
      const told = await seen("told of the webhook", tells(/failed calling webhook "down\.example\.com"/));
      assert.equal(conditionOf(told, "Available")?.status, "True");
      assert.equal(await replicasOf(canary), 1);
      await kubectl("delete", "validatingwebhookconfiguration", WEBHOOK);
      await eventually("the canary's pod goes", async () => (await replicasOf(canary)) === 0);
      await seen("told of no webhook", (object) => !tells(/webhook/)(object));
    });
    assert.deepEqual(report.failures, []);
    assert.ok(report.answered > 10, `${report.answered} requests were answered`);
  });
});

/** For Deployments of the namespace: nothing answers for it, and it must be asked. */
const webhookThatIsDown = (namespace: string): object => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: WEBHOOK },
  webhooks: [
    {
      name: "down.example.com",
      clientConfig: { service: { namespace, name: "nowhere", path: "/" } },
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
