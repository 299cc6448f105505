/** Twenty models serve while the operator is replaced by a later version, and by the earlier one again. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { z } from "zod";
import { startInside } from "../world/client.ts";
import { installChart } from "../world/helm.ts";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { withOtherOperator } from "../world/other-operator.ts";
import { PATIENCE_MS } from "../world/patience.ts";
import { record } from "../world/record.ts";
import { inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

const COUNT = 20;
const LATER = "0.2.0-later";
/** A later version renders other pods. */
const CHANGES = [
  {
    file: "operator/controllers/model-deployment/children/pod-template.ts",
    from: '{ name: "ORT_DISABLE_TELEMETRY", value: "1" },',
    to: '{ name: "ORT_DISABLE_TELEMETRY", value: "1" }, { name: "LATER", value: "1" },',
  },
];

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ uid: z.string(), name: z.string() }),
      status: z.object({ containerStatuses: z.array(z.object({ restartCount: z.number() })).default([]) }),
    }),
  ),
});
const report = z.object({ answered: z.number(), failures: z.array(z.string()) });

/**
 * A request to each model every `everyMs`, half of them on new connections; whatever is not a 200 is a failure. Only where a
 * kept connection is closed just as it is used, a request is sent again, as every HTTP client does.
 */
const PROBE = `
import http from "node:http";
const kept = new http.Agent({ keepAlive: true });
const failures = []; let answered = 0;
const end = Date.now() + input.seconds * 1000;
let stopped = false;
process.on("SIGTERM", () => { stopped = true; });
const send = (url, agent) => new Promise((resolve) => {
  const request = http.request(url, { method: "POST", agent, timeout: input.patienceMs }, (reply) => {
    reply.resume().on("end", () => {
      if (reply.statusCode === 200) answered++; else failures.push(url + " " + reply.statusCode);
      resolve();
    });
  });
  request.on("timeout", () => request.destroy(new Error("no answer in " + input.patienceMs + " ms")));
  request.on("error", (error) => {
    if (request.reusedSocket && error.code === "ECONNRESET" && agent) return void send(url, false).then(resolve);
    failures.push(url + " " + error.message); resolve();
  });
  request.end(input.body);
});
await Promise.all(input.urls.map(async (url, at) => {
  await new Promise((resolve) => setTimeout(resolve, (at * input.everyMs) / input.urls.length));
  for (let turn = 0; !stopped && Date.now() < end; turn++) {
    await send(url, turn % 2 === 0 ? kept : false);
    await new Promise((resolve) => setTimeout(resolve, input.everyMs));
  }
}));
kept.destroy();
console.log(JSON.stringify({ answered, failures: failures.slice(0, 20) }));
`;

describe("another version of the operator", () => {
  const { world, namespace } = useWorld("e2e-upgrade");
  const names = Array.from({ length: COUNT }, (_, index) => `model-${index}`);
  const kubectl = (...args: string[]) => world().cluster.kubectl([...args, "-n", namespace]);
  const podsOf = async (selector = "app.kubernetes.io/managed-by=berth") =>
    pods.parse(JSON.parse((await kubectl("get", "pods", "-l", selector, "-o", "json")).stdout)).items;
  const generations = async (): Promise<string> => {
    const path = "jsonpath={range .items[*]}{.metadata.name} {.metadata.generation}{'\\n'}{end}";
    return (await kubectl("get", "deployments", "-o", path)).stdout;
  };
  after(() => installChart(world().helm));

  it("replaces the operator and goes back: no pod restarts, no request fails, no status moves", async () => {
    await world().apply(
      names.map((name) => modelDeployment(name)),
      namespace,
    );
    const urls: string[] = [];
    for (const name of names) {
      const { status } = await waitFor(world().cluster, { namespace, name }, "ready", isReady);
      urls.push(`${status.url}/v2/models/${name}/infer`);
    }
    const [podsBefore, deploymentsBefore] = [await podsOf(), await generations()];
    assert.equal(podsBefore.length, COUNT);

    await withOtherOperator(LATER, CHANGES, (archive) => world().cluster.load([archive]));

    const { upright } = await question(192);
    const probing = startInside(world().cluster, PROBE, {
      urls,
      ...{ body: inferBody(upright), everyMs: 2000, patienceMs: PATIENCE_MS },
    });
    const { stop } = record(world().cluster.hostKubeconfig, namespace);
    await installChart(world().helm, [`image.tag=${LATER}`]);
    await installChart(world().helm);
    await installChart(world().helm, [`image.tag=${LATER}`]);
    const { answered, failures } = report.parse(await probing.stop());
    const versions = await stop();

    assert.deepEqual(failures, []);
    assert.ok(answered > COUNT * 3, `${answered} requests were answered`);
    assert.deepEqual(await podsOf(), podsBefore);
    assert.equal(await generations(), deploymentsBefore);
    const told = versions.map(({ status }) => {
      const conditions = (status?.conditions ?? []).map((condition) => `${condition.type} ${condition.status}`);
      return [...conditions, status?.message?.replace(/model-.*/, "")].join(", ");
    });
    const healthy = "Ready True, Available True, ModelLoaded True, CapacityAvailable True, 1 pod serves ";
    assert.deepEqual([...new Set(told)], [healthy]);
  });

  it("the later one renders new revisions its own way, and the earlier one goes on with them", async () => {
    const [name = ""] = names;
    const environment = async (): Promise<string> => {
      const path = "jsonpath={.items[*].spec.containers[0].env[?(@.name=='LATER')].value}";
      return (await kubectl("get", "pods", "-l", `berth.dev/model-deployment=${name}`, "-o", path)).stdout;
    };
    assert.equal(await environment(), "");
    await world().apply([modelDeployment(name, { server: { requestTimeout: "20s" } })], namespace);
    const changed = await waitFor(world().cluster, { namespace, name }, "ready on its new revision", isReady);
    assert.equal(await environment(), "1");
    // Pods of the revision before may still be finishing their requests.
    const ofRevision = `berth.dev/revision=${changed.status.stable?.revision}`;
    const before = await podsOf(ofRevision);

    await installChart(world().helm);
    await world().apply(
      [modelDeployment(name, { server: { requestTimeout: "20s" }, scaling: { minReplicas: 2 } })],
      namespace,
    );
    const scaled = await waitFor(
      world().cluster,
      { namespace, name },
      "of two pods",
      (seen) => seen.status.stable?.ready === 2,
    );
    assert.equal(scaled.status.stable?.revision, changed.status.stable?.revision);
    const uids = (await podsOf(ofRevision)).map(({ metadata }) => metadata.uid);
    assert.ok(before.every(({ metadata }) => uids.includes(metadata.uid)));
    assert.equal(await environment(), "1 1");
  });
});
