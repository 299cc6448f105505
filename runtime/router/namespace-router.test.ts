import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { freePort } from "../../test/world/free-port.ts";
import { until } from "../../test/world/patience.ts";
import { TIMES } from "../transport/http/times.ts";
import { createKeptBytes } from "./kept-bytes.ts";
import { createNamespaceRouter, type NamespaceRouter } from "./namespace-router.ts";
import { renderMetrics, statusReport } from "./status.ts";
import { decodeEndpointSlice, type RevisionPods } from "./watch/endpoint-slices.ts";
import { decodeModelDeployment, type Wanted } from "./watch/model-deployments.ts";

const start = (warnings: string[] = []): NamespaceRouter =>
  createNamespaceRouter({
    ...{ host: "127.0.0.1", now: () => performance.now(), random: Math.random, times: TIMES },
    waits: () => undefined,
    log: { info: () => undefined, warn: (message) => warnings.push(message) },
    kept: createKeptBytes(2 ** 26),
    ...{ maxHeldBytes: 2 ** 26, cap: 256, maxConnectionAgeMs: 300_000, maxConnections: 100 },
    closing: () => false,
    report: (error) => assert.fail(String(error)),
  });

const modelDeployment = (port: number, traffic: object) => ({
  metadata: { name: "digits" },
  spec: { model: { uri: "x" }, server: { requestTimeout: "60s" }, traffic: { queue: { maxWait: "60s" } } },
  status: { observedGeneration: 1, traffic: { port, ...traffic } },
});
const models = (object: unknown): Map<string, Wanted> => {
  const decoded = decodeModelDeployment(object);
  return new Map(decoded === undefined ? [] : [["digits", decoded]]);
};
const slices = (revision: string, port: number, ready: boolean): Map<string, RevisionPods> => {
  const decoded = decodeEndpointSlice({
    metadata: { labels: { "berth.dev/revision": revision, "kubernetes.io/service-name": revision } },
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready }, targetRef: { name: "pod-1" } }],
    ports: [
      { name: "http", port },
      { name: "grpc", port: 1 },
    ],
  });
  return new Map(decoded === undefined ? [] : [["slice-1", decoded]]);
};

const slice = (address: string, conditions: { ready: boolean; terminating?: boolean }): RevisionPods => {
  const decoded = decodeEndpointSlice({
    metadata: { labels: { "berth.dev/revision": "digits-a", "kubernetes.io/service-name": "digits-a" } },
    endpoints: [{ addresses: [address], conditions, targetRef: { name: "pod-1" } }],
    ports: [{ name: "http", port: 8080 }],
  });
  assert.ok(decoded);
  return decoded;
};

describe("a pod with addresses of both families", () => {
  it("is one pod at one address, whichever of its slices changes, and ready when one of them says so", async (context) => {
    const router = start();
    context.after(() => router.close());
    const routes = [{ revision: "digits-a", role: "stable", weight: 100 }];
    router.setModels(models(modelDeployment(await freePort(), { epoch: 3, routes })), new Set(["digits"]));
    await until("it listens", () => router.served().get("digits")?.router.listener.port() !== undefined);
    const seen: unknown[] = [];
    const set = (...all: [string, RevisionPods][]): void => {
      router.setSlices(new Map(all), new Set(["four", "six"]));
      const { pods = [] } = router.served().get("digits")?.router.fleet.arm("digits-a") ?? {};
      seen.push(pods.map(({ isReady, place }) => `${place.host} ${isReady}`).join());
    };
    const four = slice("10.0.0.7", { ready: true });
    const six = slice("fd00::7", { ready: true });
    set(["four", four], ["six", six]);
    const first = router.served().get("digits")?.router.fleet.arm("digits-a").pods[0];
    set(["six", six], ["four", four]);
    set(["four", slice("10.0.0.7", { ready: false })], ["six", six]);
    assert.equal(router.served().get("digits")?.router.fleet.arm("digits-a").pods[0], first);
    set(["four", four], ["six", slice("fd00::7", { ready: true, terminating: true })]);
    set(["six", six]);
    assert.deepEqual(seen, ["10.0.0.7 true", "10.0.0.7 true", "10.0.0.7 true", "10.0.0.7 false", "fd00::7 true"]);
  });
});

describe("the router of a namespace", () => {
  it("listens, routes, follows changes, and keeps its table when there is none", async (context) => {
    const backend = createServer((_, response) => response.end("hello"));
    await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
    const address = backend.address();
    const backendPort = typeof address === "object" && address !== null ? address.port : 0;
    const router = start();
    context.after(() => {
      router.close();
      backend.close();
      backend.closeAllConnections();
    });
    const port = await freePort();
    assert.equal(router.synced(), false);
    const routes = [{ revision: "digits-a", role: "stable", weight: 100 }];
    router.setModels(models(modelDeployment(port, { epoch: 3, routes })), new Set(["digits"]));
    router.setSlices(slices("digits-a", backendPort, false), new Set(["slice-1"]));
    assert.equal(router.synced(), true);
    const ask = async (to: number) =>
      (await fetch(`http://127.0.0.1:${to}/`, { method: "POST", body: "x", headers: { connection: "close" } })).text();
    const waiting = ask(port);
    // the pod says itself that it is ready, whatever its slice says
    assert.equal(await waiting, "hello");
    // a table without routes, or none, changes nothing
    router.setModels(models(modelDeployment(port, { epoch: 4, routes: [] })), new Set(["digits"]));
    assert.equal(await ask(port), "hello");
    assert.equal(statusReport(router, "1", "t", 0).models.digits?.epoch, 3);
    // another port: the old one goes on
    const other = await freePort();
    router.setModels(models(modelDeployment(other, { epoch: 5, routes })), new Set(["digits"]));
    assert.equal(await ask(other), "hello");
    assert.equal(await ask(port), "hello");
    const status = statusReport(router, "1", "t", 0).models.digits;
    assert.deepEqual([status?.epoch, status?.port], [5, other]);
    assert.equal(status?.revisions["digits-a"]?.outcomes.ok, 4);
    const text = await renderMetrics(router);
    assert.match(text, /berth_router_requests_total\{model="digits",revision="digits-a",outcome="ok"\} 4/);
    assert.match(text, /berth_router_epoch\{model="digits"\} 5/);
    // the ModelDeployment is deleted
    router.setModels(new Map(), new Set(["digits"]));
    await assert.rejects(fetch(`http://127.0.0.1:${other}/`, { headers: { connection: "close" } }));
    assert.deepEqual(statusReport(router, "1", "t", 0).models, {});
  });

  it("goes by what was known of a ModelDeployment whose status is lost, and not of one whose traffic goes elsewhere now", () => {
    const routes = [{ revision: "digits-a", role: "stable", weight: 100 }];
    const object = modelDeployment(4000, { epoch: 1, routes });
    const before = decodeModelDeployment(object);
    assert.equal(before?.port, 4000);
    const { status: _, ...without } = object;
    for (const lost of [without, { ...object, status: { observedGeneration: -1 } }]) {
      assert.equal(decodeModelDeployment(lost, before), before);
      assert.equal(decodeModelDeployment(lost), undefined);
    }
    assert.equal(decodeModelDeployment({ ...object, status: { observedGeneration: 2 } }, before), undefined);
  });

  it("says which port it cannot have, and tries it again", async (context) => {
    const port = await freePort();
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(port, "127.0.0.1", resolve));
    const warnings: string[] = [];
    const router = start(warnings);
    context.after(() => router.close());
    const routes = [{ revision: "digits-a", role: "stable", weight: 100 }];
    router.setModels(models(modelDeployment(port, { epoch: 1, routes })), new Set(["digits"]));
    const told = () => statusReport(router, "1", "t", 0).models.digits;
    await until("a problem", () => told()?.problem !== undefined, told);
    assert.match(told()?.problem ?? "", /port \d+ cannot be opened: .*EADDRINUSE/);
    await new Promise((resolve) => blocker.close(resolve));
    router.sweep(performance.now());
    await until("the port", () => told()?.port === port, told);
    assert.equal(warnings.length, 1);
  });
});
