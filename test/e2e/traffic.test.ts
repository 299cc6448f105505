import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { infer, request, startLoad } from "../world/client.ts";
import { inferOverGrpc } from "../world/grpc.ts";
import { isReady, type Seen, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, distance, INPUT, inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

const serviceSchema = z.object({
  spec: z.object({
    selector: z.record(z.string(), z.string()),
    ports: z.array(z.object({ name: z.string(), targetPort: z.union([z.string(), z.number()]) })),
  }),
});
const podsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
      status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) }),
    }),
  ),
});

describe("requests through the router", () => {
  const { world, namespace } = useWorld("e2e-traffic");
  const key = { namespace, name: "routed" };
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;

  /** Whether the clients' Service sends requests to the routers. */
  const isRouted = async (): Promise<boolean> => {
    const { spec } = serviceSchema.parse(JSON.parse(await kubectl("get", "service", key.name, "-o", "json")));
    const targets = spec.ports.map(({ targetPort }) => typeof targetPort);
    return spec.selector["berth.dev/router"] === "true" && targets.every((type) => type === "number");
  };
  const readyRouters = async (): Promise<string[]> =>
    podsSchema
      .parse(JSON.parse(await kubectl("get", "pods", "-l", "berth.dev/router=true", "-o", "json")))
      .items.filter(
        ({ metadata, status }) =>
          metadata.deletionTimestamp === undefined &&
          status.conditions.some(({ status: is, type }) => type === "Ready" && is === "True"),
      )
      .map(({ metadata }) => metadata.name);
  const applied = (spec: Record<string, unknown>) =>
    world().apply([modelDeployment(key.name, { scaling: { minReplicas: 2 }, ...spec })], namespace);
  const seen = (what: string, holds: (object: Seen) => boolean) => waitFor(world().cluster, key, what, holds);
  const answered = async () => {
    const { upright } = await question(192);
    return { input: upright, body: inferBody(upright), expected: await answerHere(ANGLE_FILE, upright) };
  };

  it("onto it, through an update and the loss of each router, and off it again: not one fails", async () => {
    await applied({});
    const before = await seen("ready", isReady);
    const { body, expected } = await answered();
    const loaded = startLoad(world().cluster, {
      url: `${before.status.url}/v2/models/routed/infer`,
      ...{ body, expected, perSecond: 20 },
    });
    await loaded.underWay();
    await applied({ traffic: { path: "router" } });
    await eventually("on the router", isRouted);
    await seen("ready on the router", isReady);

    await applied({ traffic: { path: "router" }, server: { requestTimeout: "20s" } });
    const after = await seen(
      "on a new revision",
      (object) => isReady(object) && object.status.stable?.revision !== before.status.stable?.revision,
    );
    for (const router of await readyRouters()) {
      await kubectl("delete", "pod", router, "--wait=false");
      await eventually("two routers again", async () => (await readyRouters()).length >= 2);
    }
    await applied({ server: { requestTimeout: "20s" } });
    await eventually("off the router", async () => !(await isRouted()));
    const report = await loaded.stop();
    assert.deepEqual(report.failures, []);
    assert.ok(report.answered > 100, `${report.answered} requests were answered`);
    const end = await seen("ready", isReady);
    assert.equal(end.status.stable?.revision, after.status.stable?.revision);
  });

  it("wait for a pod where there is none, over HTTP and over gRPC", async () => {
    await applied({ scaling: { minReplicas: 1 }, traffic: { path: "router" }, server: { requestTimeout: "20s" } });
    await eventually("on the router", isRouted);
    const { status } = await seen("ready", isReady);
    const { expected, input } = await answered();
    const address = `${key.name}.${namespace}.svc:8081`;
    await kubectl("delete", "pods", "-l", `berth.dev/revision=${status.stable?.revision}`, "--wait=true", "--now");
    const [overHttp, overGrpc] = await Promise.all([
      infer(world().cluster, { url: status.url ?? "", model: key.name }, input),
      inferOverGrpc(world().cluster, { address, model: key.name }, { name: INPUT, ...input }, 3),
    ]);
    assert.ok(distance(overHttp, expected) < 1e-4);
    for (const one of overGrpc) assert.ok(distance(one, expected) < 1e-4);
  });

  it("can be sent to one revision by a tester, and to none that is not there", async () => {
    const { status } = await seen("ready", isReady);
    const ask = (revision: string) =>
      request(world().cluster, `${status.url}/v2/health/ready`, { headers: { "x-berth-revision": revision } });
    assert.equal((await ask(status.stable?.revision ?? "")).status, 200);
    const none = await ask("routed-00000000");
    assert.equal(none.status, 404);
    assert.match(none.body, /has no revision .*routed-00000000.* now; use one of routed-/);
  });

  it("pass a router that may watch two kinds in its namespace, and do nothing else", async () => {
    const may = async (verb: string, resource: string, ...rest: string[]): Promise<boolean> => {
      const account = `--as=system:serviceaccount:${namespace}:berth-router`;
      const said = await kubectl("auth", "can-i", verb, resource, account, ...rest).catch(() => "no");
      return said.trim() === "yes";
    };
    assert.deepEqual(
      [await may("watch", "modeldeployments.berth.dev"), await may("list", "endpointslices.discovery.k8s.io")],
      [true, true],
    );
    for (const resource of ["secrets", "pods", "configmaps"])
      assert.equal(await may("list", resource), false, resource);
    assert.equal(await may("patch", "modeldeployments.berth.dev", "--subresource=status"), false);
    assert.equal(await may("list", "modeldeployments.berth.dev", "-A"), false);
  });

  it("need no router once their ModelDeployment is deleted", async () => {
    await kubectl("delete", "mdeploy", key.name);
    await eventually(
      "without a router",
      async () => (await kubectl("get", "deployments,roles,rolebindings", "-o", "name")).trim() === "",
    );
  });

  it("are told why they do not go through it, where a queue is wanted without it", async () => {
    const wanted = applied({ traffic: { queue: { maxRequests: 5 } } });
    await assert.rejects(wanted, /spec.traffic.queue: needs the router/);
    await assert.rejects(
      applied({ traffic: { path: "router", queue: { maxWait: "1d" } } }),
      /maxWait: must be a duration/,
    );
  });
});
