import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { ANGLE_MODEL, loopModel } from "../../test/runtime/models.ts";
import { type Server, startServer } from "../../test/runtime/server.ts";
import { until } from "../../test/world/patience.ts";

const shape = [1, 3, 48, 192];
const angleBody = JSON.stringify({
  inputs: [{ name: "x", shape, datatype: "FP32", data: Array(3 * 48 * 192).fill(0.5) }],
});

type Answer = { status: number; close: boolean };
const post = (url: string, body: string, agent: Agent | false): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const headers = { "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method: "POST", agent, headers }, (answer: IncomingMessage) => {
      answer.once("error", reject);
      answer.once("end", () =>
        resolve({ status: answer.statusCode ?? 0, close: answer.headers.connection === "close" }),
      );
      answer.resume();
    });
    sent.once("error", reject);
    sent.end(body);
  });

const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : String(error));

const underWay = (server: Server): Promise<void> =>
  until("a run", async () => /berth_inflight_requests 1\b/.test(await (await fetch(server.admin("/metrics"))).text()));

describe("drain", { concurrency: true }, () => {
  for (const [what, agentOf, clients] of [
    ["clients that keep their connections", () => new Agent({ keepAlive: true, maxSockets: 1 }), 6],
    ["clients that make a new connection for each request", () => false as const, 4],
  ] as const) {
    it(`fails no request of ${what}`, async (t) => {
      const server = startServer(t, ANGLE_MODEL, ["--drain-timeout", "8s"]);
      await server.ready;
      let exited = false;
      void server.exit.then(() => {
        exited = true;
      });
      const failures: string[] = [];
      let answered = 0;
      let asked = false;
      let toldToClose = 0;
      const run = async (): Promise<void> => {
        const agent = agentOf();
        for (;;) {
          try {
            const { status, close } = await post(server.url("/v2/models/m/infer"), angleBody, agent);
            if (status !== 200) failures.push(`status ${status}`);
            answered++;
            if (asked && close) toldToClose++;
          } catch (error) {
            // refused: nobody listens any more, so nothing of this request was ever begun
            if (asked && codeOf(error) === "ECONNREFUSED") return;
            failures.push(`${codeOf(error)}${exited ? " after the exit" : ""}`);
            if (failures.length > 20) return;
          }
        }
      };
      const running = Array.from({ length: clients }, run);
      await until("some answers", () => answered > 20);
      asked = true;
      const before = answered;
      server.process.kill("SIGTERM");
      const exit = await server.exit;
      await Promise.all(running);
      assert.deepEqual(failures, []);
      assert.deepEqual(exit, { code: 0, signal: null });
      assert.ok(before > 10 && answered > before + 10, `${before} answered before SIGTERM, ${answered} in all`);
      assert.ok(toldToClose > 0, "answers during the drain tell clients to close");
    });
  }

  it("answers a run that is under way", async (t) => {
    const server = startServer(t, loopModel());
    await server.ready;
    const infer = (n: number) => {
      const body = JSON.stringify({ inputs: [{ name: "n", shape: [], datatype: "INT64", data: [n] }] });
      return post(server.url("/v2/models/m/infer"), body, false);
    };
    const started = performance.now();
    await infer(200_000);
    const long = infer(Math.round((200_000 * 1500) / (performance.now() - started))); // about 1.5 s
    await underWay(server);
    server.process.kill("SIGTERM");
    assert.equal((await long).status, 200);
    assert.deepEqual(await server.exit, { code: 0, signal: null });
  });

  it("is not held up by connections that say nothing, and is ready no more meanwhile", async (t) => {
    const server = startServer(t, ANGLE_MODEL);
    await server.ready;
    const silent = connect(Number(new URL(server.url("/")).port), "127.0.0.1");
    silent.on("error", () => undefined);
    await once(silent, "connect");
    server.process.kill("SIGTERM");
    await until(
      "draining in its log",
      () => server.log.includes("SIGTERM: draining"),
      () => server.log,
    );
    assert.equal((await fetch(server.admin("/readyz"))).status, 503);
    assert.equal((await fetch(server.admin("/livez"))).status, 200);
    // with 1 where --drain-timeout was over
    assert.deepEqual(await server.exit, { code: 0, signal: null });
  });

  it("ends with 1, and says so, when a request outlives --drain-timeout", async (t) => {
    const server = startServer(t, loopModel(), ["--drain-timeout", "1s"]);
    await server.ready;
    const body = '{"inputs":[{"name":"n","shape":[],"datatype":"INT64","data":[9223372036854775807]}]}';
    const endless = post(server.url("/v2/models/m/infer"), body, false).catch(codeOf);
    await underWay(server);
    server.process.kill("SIGTERM");
    assert.deepEqual(await server.exit, { code: 1, signal: null });
    assert.deepEqual(await endless, { status: 503, close: true });
    assert.match(server.log.at(-1) ?? "", /--drain-timeout/);
  });
});
