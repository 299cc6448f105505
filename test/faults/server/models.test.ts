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

const metric = async (server: Server, name: string): Promise<number> => {
  const text = await (await fetch(server.admin("/metrics"))).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1] ?? Number.NaN);
};
const restarts = (server: Server): Promise<number> => metric(server, "berth_shard_restarts_total");
/** So many run or wait. */
const running = (server: Server, count: number): Promise<void> =>
  until(`${count} requests under way`, async () => (await metric(server, "berth_inflight_requests")) === count);

describe("a model that does harm", () => {
  it("that hangs: its batch gets 504, others on one more shard and on kept connections go on, and it is back", async (t) => {
    const server = startServer(t, loopModel(), ["--request-timeout", "2s", "--shards", "2"]);
    await server.ready;
    const other = bystander(server, n(3));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const before = other.answered();
    const hung = await post(server, n(ENDLESS), { agent });
    assert.equal(hung.status, 504);
    assertTells(hung.text, /--request-timeout|2 s/);
    assert.ok(other.answered() > before, "others were held up until the run was ended");
    // the connection of the hung request is still good
    assert.equal((await post(server, n(4), { agent })).status, 200);
    await until("the hung shard's end", async () => (await restarts(server)) === 1);
    await until("both shards again", async () => {
      const status: unknown = await (await fetch(server.admin("/statusz"))).json();
      return /"ready":2/.test(JSON.stringify(status).replaceAll(" ", ""));
    });
    agent.destroy();
    assert.deepEqual(await other.stop(), []);
    assert.equal(await restarts(server), 1);
    assert.equal(server.process.exitCode, null);
  });

  it("that hangs on the only shard: what waits is answered when the shard is back", async (t) => {
    const server = startServer(t, loopModel(), ["--request-timeout", "8s", "--shards", "1"]);
    await server.ready;
    const hung = post(server, n(ENDLESS));
    await running(server, 1);
    // what waits has as long as what runs, and needs what is left of it for the start of a shard
    await sleep(5000);
    const waiting = Promise.all([post(server, n(1)), post(server, n(2))]);
    assert.equal((await hung).status, 504);
    assert.deepEqual(
      (await waiting).map(({ status }) => status),
      [200, 200],
    );
  });

  it("that runs for seconds: health answers all the while", async (t) => {
    const server = startServer(t, loopModel(), ["--shards", "1"]);
    await server.ready;
    const started = performance.now();
    await post(server, n(200_000));
    const perSecond = (200_000 * 1000) / (performance.now() - started);
    const long = post(server, n(Math.round(perSecond * 3)));
    let rounds = 0;
    let over = false;
    void long.then(() => {
      over = true;
    });
    const agent = { keepalive: true };
    while (!over) {
      for (const url of [server.admin("/livez"), server.admin("/readyz"), server.url("/v2/health/ready")]) {
        const { status } = await fetch(url, agent);
        assert.equal(status, 200);
      }
      if (!over) rounds++;
      await sleep(20);
    }
    assert.equal((await long).status, 200);
    assert.ok(rounds > 2, `${rounds} rounds of probes`);
  });

  it("whose clients leave while it runs: the run ends, and the next ones are answered", async (t) => {
    const server = startServer(t, loopModel(), ["--shards", "1"]);
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
    const doomed = post(server, n(ENDLESS), { agent });
    await running(server, 1);
    const waiting = post(server, n(7));
    await running(server, 2);
    const [shard] = shardsOf(server);
    process.kill(shard ?? assert.fail("there is no shard"), "SIGSEGV");
    const crashed = await doomed;
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
