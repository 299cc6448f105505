/** A store whose token and certificate authority change: pods that are made anew use the new ones, and no client notices. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { request, startLoad } from "../world/client.ts";
import { isReady, type Seen, waitFor } from "../world/model-deployment.ts";
import { authorityConfigMap, MODELS_NAMESPACE, makeCertificates, modelServer } from "../world/model-server.ts";
import { CLUSTER_PATIENCE_S, eventually } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
      status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) }),
    }),
  ),
});

describe("a rotated Secret and authority", () => {
  const { world, namespace } = useWorld("e2e-rotation");
  const name = "rotated";
  const host = `models.${namespace}.svc`;
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const ready = (): Promise<Seen> => waitFor(world().cluster, { namespace, name }, "ready", isReady);
  const podsOf = async () =>
    pods.parse(JSON.parse(await kubectl("get", "pods", "-l", `berth.dev/model-deployment=${name}`, "-o", "json")))
      .items;

  /** From now on the store takes `token` alone, and has a certificate of an authority that is new. */
  const rotateStore = async (token: string): Promise<string> => {
    const image = (
      await world().cluster.kubectl([
        ...["get", "deployment", "models", "-n", MODELS_NAMESPACE],
        ...["-o", "jsonpath={.spec.template.spec.containers[0].image}"],
      ])
    ).stdout;
    const certificates = await makeCertificates(host);
    await world().apply(modelServer({ image, namespace, certificates, authorization: `Bearer ${token}` }));
    await kubectl("rollout", "status", "deployment/models", `--timeout=${CLUSTER_PATIENCE_S}s`);
    return certificates.authority;
  };
  const tell = async (token: string, authority: string): Promise<void> => {
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "store" },
      stringData: { token, hosts: host },
    };
    await world().apply([secret, authorityConfigMap(namespace, authority)], namespace);
  };
  const statusWith = async (token: string): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    return (await request(world().cluster, `http://${host}:8080/auth/angle.onnx`, { method: "HEAD", headers })).status;
  };

  /** The Service may lead to the pod before for a while, which then answers nobody. */
  const takesOnly = (token: string, before: string): Promise<void> => {
    const statuses = async () => [await statusWith(before), await statusWith(token)];
    const isSo = async () => isDeepStrictEqual(await statuses().catch(() => []), [401, 200]);
    return eventually(`the store takes ${token} alone`, isSo, statuses);
  };

  /** All pods are others when it ends, one after the other, and each request was answered, and rightly. */
  const restarted = async (restart: () => Promise<unknown>): Promise<void> => {
    const before = await ready();
    const old = new Set((await podsOf()).map(({ metadata }) => metadata.name));
    const { upright } = await question(192);
    const loaded = startLoad(world().cluster, {
      url: `${before.status.url}/v2/models/${name}/infer`,
      ...{ body: inferBody(upright), expected: await answerHere(ANGLE_FILE, upright), perSecond: 10 },
    });
    await loaded.underWay();
    await restart();
    let fewest = old.size;
    const isNew = async (): Promise<boolean> => {
      const now = (await podsOf()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const isUp = ({ status }: (typeof now)[number]) =>
        status.conditions.some(({ status: is, type }) => type === "Ready" && is === "True");
      fewest = Math.min(fewest, now.filter(isUp).length);
      return now.length === old.size && now.every((pod) => isUp(pod) && !old.has(pod.metadata.name));
    };
    await eventually("all pods are others", isNew, podsOf);
    const after = await ready();
    const { answered, failures } = await loaded.stop();
    assert.deepEqual(failures, []);
    assert.ok(answered > 20, `${answered} requests were answered`);
    assert.ok(fewest >= old.size - 1, `${fewest} pods served at one moment`);
    assert.equal(after.status.stable?.revision, before.status.stable?.revision);
  };

  it("is fetched with, to begin with", async () => {
    await tell("first", await rotateStore("first"));
    const model = {
      uri: `https://${host}:8443/auth/angle.onnx`,
      credentials: { secretName: "store" },
      caBundle: { configMapName: "models-ca" },
    };
    await world().apply([modelDeployment(name, { model, scaling: { minReplicas: 2 } })], namespace);
    await ready();
  });

  it("is used by the pods that kubectl rollout restart makes, and not one request fails", async () => {
    await tell("second", await rotateStore("second"));
    await takesOnly("second", "first");
    const { status } = await ready();
    await restarted(() => kubectl("rollout", "restart", `deployment/${status.stable?.revision}`));
  });

  it("is used by the pods that the annotation makes, and not one request fails", async () => {
    await tell("third", await rotateStore("third"));
    await takesOnly("third", "second");
    await restarted(() => kubectl("annotate", `mdeploy/${name}`, `berth.dev/restartedAt=${new Date().toISOString()}`));
  });
});
