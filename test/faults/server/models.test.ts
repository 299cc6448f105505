import assert from "node:assert/strict";
import { Agent } from "node:http";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { loopModel, memoryModel } from "../../runtime/models.ts";
import { type Server, shardsOf, startServer } from "../../runtime/server.ts";
import { until } from "../../world/patience.ts";
import { assertTells, bystander, post } from "./bystander.ts";

const n = (value: string | number, shape: number[] = []) =>
  `{"inputs":[{"name":"n","shape":[${shape}],"datatype":"INT64","data":[${value}]}]}`;
const ENDLESS = "9223372036854775807";

const restarts = async (server: Server): Promise<number> => {
  const text = await (await fetch(server.admin("/metrics"))).text();
  return Number(/^berth_shard_restarts_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? Number.NaN);
};

describe("a model that does harm", () => {
  it("that hangs: its batch gets 504, others on one more shard and on kept connections go on, and it is back soon", async (t) => {
    const server = startServer(t, loopModel(), ["--request-timeout", "1s", "--shards", "2"]);
    await server.ready;
    const other = bystander(server, n(3));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const started = performance.now();
    const hung = await post(server, n(ENDLESS), { agent });
    const took = performance.now() - started;
    assert.equal(hung.status, 504);
    assertTells(hung.text, /--request-timeout|1 s/);
    assert.ok(took > 900 && took < 3000, `answered after ${Math.round(took)} ms`);
    // the connection of the hung request is still good
    assert.equal((await post(server, n(4), { agent })).status, 200);
    await until("the hung shard's end", async () => (await restarts(server)) === 1);
    await until("both shards again", async () => {
      const status: unknown = await (await fetch(server.admin("/statusz"))).json();
      return /"ready":2/.test(JSON.stringify(status).replaceAll(" ", ""));
    });
    agent.destroy();
    assert.deepEqual(await other.stop(), []);
    assert.ok(other.answered() > 50 && other.slowestMs() < 900, `${other.answered()}, slowest ${other.slowestMs()} ms`);
    assert.equal(await restarts(server), 1);
    assert.equal(server.process.exitCode, null);
  });

  it("that hangs on the only shard: what waits is answered when the shard is back, within 2 s and the load", async (t) => {
    const server = startServer(t, loopModel(), ["--request-timeout", "2s", "--shards", "1"]);
    await server.ready;
    const hung = post(server, n(ENDLESS));
    await sleep(1500);
    const waiting = Promise.all([post(server, n(1)), post(server, n(2))]);
    assert.equal((await hung).status, 504);
    const killed = performance.now();
    assert.deepEqual(
      (await waiting).map(({ status }) => status),
      [200, 200],
    );
    const back = performance.now() - killed;
    assert.ok(back < 3000, `back after ${Math.round(back)} ms`);
  });

  it("that keeps health waiting no longer than usual while it runs for seconds", async (t) => {
    const server = startServer(t, loopModel(), ["--shards", "1"]);
    await server.ready;
    const started = performance.now();
    await post(server, n(200_000));
    const perSecond = (200_000 * 1000) / (performance.now() - started);
    const long = post(server, n(Math.round(perSecond * 3)));
    const delays: number[] = [];
    let over = false;
    void long.then(() => {
      over = true;
    });
    const agent = { keepalive: true };
    while (!over) {
      for (const url of [server.admin("/livez"), server.admin("/readyz"), server.url("/v2/health/ready")]) {
        const asked = performance.now();
        const { status } = await fetch(url, agent);
        assert.equal(status, 200);
        delays.push(performance.now() - asked);
      }
      await sleep(20);
    }
    assert.equal((await long).status, 200);
    delays.sort((one, another) => one - another);
    const median = delays[Math.floor(delays.length / 2)] ?? Number.NaN;
    const p95 = delays[Math.floor(delays.length * 0.95)] ?? Number.NaN;
    assert.ok(median < 10 && p95 < 50, `median ${median} ms, p95 ${p95} ms of ${delays.length}`);
  });

  it("whose clients leave while it runs: the run ends, and the next ones are answered", async (t) => {
    const server = startServer(t, loopModel(), ["--shards", "1", "--request-timeout", "2s"]);
    await server.ready;
    for (let i = 0; i < 20; i++) {
      const gone = new AbortController();
      const left = fetch(server.url("/v2/models/m/infer"), { method: "POST", body: n(300_000), signal: gone.signal });
      await sleep(10);
      gone.abort();
      await assert.rejects(left);
    }
    assert.equal((await post(server, n(5))).status, 200);
    assert.equal(server.process.exitCode, null);
    assert.equal(await restarts(server), 0);
  });

  it("that crashes in native code: its request is told so, waiting ones are answered, connections stay", async (t) => {
    const server = startServer(t, loopModel(), ["--shards", "1"]);
    await server.ready;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const running = post(server, n(ENDLESS), { agent });
    await sleep(300);
    const waiting = post(server, n(7));
    await sleep(100);
    const [shard] = shardsOf(server);
    process.kill(shard ?? assert.fail("there is no shard"), "SIGSEGV");
    const crashed = await running;
    assert.equal(crashed.status, 500);
    assertTells(crashed.text, /crash|ended|SIGSEGV/);
    assert.equal((await waiting).status, 200);
    assert.equal((await post(server, n(8), { agent })).status, 200);
    agent.destroy();
    assert.equal(await restarts(server), 1);
  });

  it("that wants more memory than there is: only its request fails, and says so", async (t) => {
    // Whatever the machine promises: no process of this server may have more than 2 GiB.
    const server = startServer(t, memoryModel(), ["--shards", "1"], ["--data=2147483648"]);
    await server.ready;
    const other = bystander(server, n(1000, [1]));
    for (const size of ["1099511627776", "4611686018427387904", ENDLESS]) {
      const { status, text } = await post(server, n(size, [1]));
      assert.ok(status === 500 || status === 400, `${status} ${text}`);
      assertTells(text, /memory|alloc|overflow|large|size|shape/i);
    }
    assert.deepEqual(await other.stop(), []);
    assert.equal(await restarts(server), 0);
  });
});
