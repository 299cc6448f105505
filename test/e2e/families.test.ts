/** Addresses of both families, where the cluster has both (`-- --families ipv6,ipv4 families`): Services, pods, routers, and the URL. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { request } from "../world/client.ts";
import { isReady, type Seen, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

const service = z.object({
  spec: z.object({
    clusterIP: z.string(),
    clusterIPs: z.array(z.string()),
    ipFamilies: z.array(z.string()),
    ipFamilyPolicy: z.string(),
  }),
});
const slices = z.object({
  items: z.array(
    z.object({
      addressType: z.string(),
      endpoints: z.array(z.object({ conditions: z.object({ ready: z.boolean() }) })).nullish(),
    }),
  ),
});
const reply = z.object({ outputs: z.array(z.object({ data: z.array(z.number()) })) });
const both = JSON.stringify({ spec: { ipFamilyPolicy: "PreferDualStack" } });

describe("addresses of both families", () => {
  const { world, namespace } = useWorld("e2e-families");
  const name = "both";
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const serviceOf = async (called: string) =>
    service.parse(JSON.parse(await kubectl("get", "service", called, "-o", "json"))).spec;
  const apply = (requestTimeout: string) =>
    world().apply([modelDeployment(name, { server: { requestTimeout }, traffic: { path: "router" } })], namespace);
  const seen = (what: string, holds: (object: Seen) => boolean) =>
    waitFor(world().cluster, { namespace, name }, what, holds);
  const answers = async (address: string): Promise<void> => {
    const { upright } = await question(192);
    const host = address.includes(":") ? `[${address}]` : address;
    const { body, status } = await request(world().cluster, `http://${host}/v2/models/${name}/infer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: inferBody(upright),
    });
    assert.equal(status, 200, body);
    const [first] = reply.parse(JSON.parse(body)).outputs;
    assert.deepEqual(Float32Array.from(first?.data ?? []), await answerHere(ANGLE_FILE, upright));
  };

  it("what somebody asks of a Service stays, and each of its addresses answers, through the routers and directly", async () => {
    await apply("30s");
    const { status } = await seen("ready", isReady);
    const stable = status.stable?.revision ?? "";
    const single = await serviceOf(name);
    assert.deepEqual([single.ipFamilyPolicy, single.clusterIPs.length], ["SingleStack", 1]);
    await kubectl("patch", "service", name, "-p", both);
    const families = (await serviceOf(name)).ipFamilies;
    for (const address of (await serviceOf(name)).clusterIPs) await answers(address);
    // another revision, and another selector and port: the Service is written again
    await apply("20s");
    await seen("of another revision", (object) => isReady(object) && object.status.stable?.revision !== stable);
    await world().apply(
      [modelDeployment(name, { server: { requestTimeout: "20s" }, traffic: { path: "direct" } })],
      namespace,
    );
    await seen("reached directly", (object) => isReady(object) && object.status.traffic === undefined);
    const after = await serviceOf(name);
    assert.deepEqual([after.ipFamilyPolicy, after.ipFamilies], ["PreferDualStack", families]);
    for (const address of after.clusterIPs) await answers(address);
  });

  it("a pod of two slices is one to the routers", async () => {
    await apply("20s");
    const { status } = await seen("ready", isReady);
    const stable = status.stable?.revision ?? "";
    await kubectl("patch", "service", stable, "-p", both);
    const { ipFamilies } = await serviceOf(stable);
    const isIn = async (): Promise<string[]> =>
      slices
        .parse(
          JSON.parse(
            await kubectl("get", "endpointslices", "-l", `kubernetes.io/service-name=${stable}`, "-o", "json"),
          ),
        )
        .items.flatMap(({ addressType, endpoints }) =>
          (endpoints ?? []).some(({ conditions }) => conditions.ready) ? [addressType] : [],
        );
    await eventually("a slice for each family", async () => (await isIn()).length === ipFamilies.length, isIn);
    for (const address of (await serviceOf(name)).clusterIPs) await answers(address);
  });
});
