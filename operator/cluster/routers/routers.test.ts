import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ROUTER_LABEL, ROUTER_NAME } from "../../api/v1alpha1/index.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import { type AskRouter, createAskCounts, createAskRouters, type ModelStatus, readyRouters } from "./routers.ts";

const router = (address: string, rest: Partial<Pod["metadata"]> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    ...{ name: `${ROUTER_NAME}-5d4f-${address}`, namespace: "a" },
    labels: { [ROUTER_LABEL]: "true", "pod-template-hash": "5d4f" },
    ownerReferences: [
      { apiVersion: "apps/v1", kind: "ReplicaSet", name: `${ROUTER_NAME}-5d4f`, uid: "u", controller: true },
    ],
    ...rest,
  },
  status: { podIP: address, conditions: [{ type: "Ready", status: "True" }] },
});
const store = (pods: Pod[]) => ({ list: () => pods.values() });
const model = (epoch: number): ModelStatus => ({
  ...{ epoch, revisions: { "m-1": { evidence: {} } } },
  shadow: {
    ...{ canary: { compared: 0, disagreed: 0 }, self: { compared: 0, disagreed: 0 }, failed: 0, incomparable: 0 },
  },
});
const answering =
  (models: Record<string, ModelStatus>): AskRouter =>
  () =>
    Promise.resolve({ started: "2026-01-01T00:00:00Z", models });

describe("the routers of a namespace", () => {
  it("are pods of its router's ReplicaSet: labels prove nothing", async () => {
    const poser = router("10.0.0.9", { ownerReferences: [] });
    const other = router("10.0.0.8", { namespace: "b" });
    const pods = store([router("10.0.0.1"), poser, router("10.0.0.2"), other]);
    const asked: string[] = [];
    const ask: AskRouter = (address) => {
      asked.push(address);
      return answering({ m: model(7) })(address);
    };
    const reports = await createAskRouters(pods, ask)({ namespace: "a", name: "m" });
    assert.deepEqual(
      [reports.map((report) => report?.epoch), asked],
      [
        [7, 7],
        ["10.0.0.1", "10.0.0.2"],
      ],
    );
    assert.deepEqual(
      readyRouters(pods, new Set(["a"])).map(({ address }) => address),
      ["10.0.0.1", "10.0.0.2"],
    );
  });

  it("know no ModelDeployment that they do not name, whatever it is called", async () => {
    const pods = store([router("10.0.0.1")]);
    for (const name of ["constructor", "valueof", "toString", "__proto__"]) {
      const key = { namespace: "a", name };
      assert.deepEqual(await createAskRouters(pods, answering({}))(key), [undefined]);
      assert.deepEqual(await createAskCounts(pods, answering({}), () => 0)(key), []);
      const named = answering(Object.fromEntries([[name, model(7)]]));
      assert.equal((await createAskRouters(pods, named)(key))[0]?.epoch, 7);
      assert.deepEqual((await createAskCounts(pods, named, () => 0)(key))[0]?.revisions, { "m-1": {} });
    }
  });

  it("were started when they say by how long they have run: their nodes' clocks may be off", async () => {
    const pods = store([router("10.0.0.1")]);
    const key = { namespace: "a", name: "m" };
    const now = Date.UTC(2026, 5, 1);
    const startedAt = async (answer: { started: string; ageMs?: number }) => {
      const ask: AskRouter = () => Promise.resolve({ ...answer, models: { m: model(7) } });
      return (await createAskCounts(pods, ask, () => now)(key))[0]?.startedAt;
    };
    assert.equal(await startedAt({ started: "2026-06-01T00:10:00Z", ageMs: 60_000 }), now - 60_000);
    assert.equal(await startedAt({ started: "2026-01-01T00:00:00Z" }), Date.UTC(2026, 0, 1));
  });

  it("are asked a few at a time, and not on and on where they do not answer; each that was not asked has no report", async () => {
    const pods = store(Array.from({ length: 100 }, (_, i) => router(`10.0.0.${i}`)));
    let [underWay, most, asked] = [0, 0, 0];
    const silent: AskRouter = async () => {
      asked += 1;
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      return undefined;
    };
    const reports = await createAskRouters(pods, silent)({ namespace: "a", name: "m" });
    assert.deepEqual(reports, Array(100).fill(undefined));
    assert.ok(most <= 4 && asked <= 8, `${most} at once, ${asked} asked`);
    const answers = await createAskRouters(pods, answering({ m: model(7) }))({ namespace: "a", name: "m" });
    assert.deepEqual([answers.length, answers.filter(Boolean).length], [100, 16]);
  });
});
