import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ANGLE_MODEL,
  externalDataModel,
  gatherModel,
  loopModel,
  memoryModel,
  newDirectory,
  unknownOperatorModel,
} from "../../test/runtime/models.ts";
import { type Server, shardsOf, startServer } from "../../test/runtime/server.ts";
import { until } from "../../test/world/patience.ts";

const fileOf = (content: string | Uint8Array): string => {
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, content);
  return file;
};

const shardOf = (server: Server): number => shardsOf(server)[0] ?? assert.fail("there is no shard");

const metricsOf = async (server: Server): Promise<string> => (await fetch(server.admin("/metrics"))).text();

const inferLoop = (server: Server, n: string) =>
  fetch(server.url("/v2/models/m/infer"), {
    method: "POST",
    body: `{"inputs":[{"name":"n","shape":[],"datatype":"INT64","data":[${n}]}]}`,
  });

describe("a model that cannot be served ends the server with its code and reason", { concurrency: 2 }, () => {
  const cases: [string, () => string, string[], string, RegExp][] = [
    ["an operator that does not exist", () => unknownOperatorModel("NoSuchThing"), [], "ModelInvalid", /NoSuchThing/],
    ["text instead of a model", () => fileOf("this is no model"), [], "ModelInvalid", /is not an ONNX model/],
    [
      "random bytes",
      () => fileOf(Uint8Array.from({ length: 5000 }, (_, i) => (i * 131) % 251)),
      [],
      "ModelInvalid",
      /./,
    ],
    ["an empty file", () => fileOf(""), [], "ModelInvalid", /model\.onnx is empty/],
    ["no file", () => "/none/model.onnx", [], "ModelInvalid", /no file \/none\/model\.onnx/],
    ["external data", () => externalDataModel("W", "/etc/passwd", false), [], "ModelInvalid", /tensor "W".*external/],
    [
      "an execution provider that is not there",
      () => ANGLE_MODEL,
      ["--execution-provider", "cuda"],
      "ExecutionProviderUnavailable",
      /execution provider cuda is not available/,
    ],
    [
      "a first inference for which there is no memory",
      () => memoryModel(2 ** 52),
      [],
      "WarmUpFailed",
      /first inference fails: .*memory/i,
    ],
  ];
  for (const [what, model, options, code, message] of cases) {
    it(what, async (t) => {
      const server = startServer(t, model(), options);
      assert.deepEqual(await server.exit, { code: 1, signal: null });
      const told = JSON.parse(server.termination());
      assert.equal(told.outcome, "failed");
      assert.equal(told.code, code, told.message);
      assert.match(told.message, message);
      assert.ok(!told.message.includes("\n") && !told.message.includes("/onnxruntime_src/"), told.message);
      assert.doesNotMatch(server.stderr(), / {4}at /, "no stack trace");
    });
  }

  it("a model that refuses all made-up inputs may be good for others: it serves, and the reason is told", async (t) => {
    const server = startServer(t, gatherModel(1));
    await server.ready;
    assert.ok(
      server.log.some((line) => /generated inputs.*served unproven.*Gather/.test(line)),
      server.log.join("\n"),
    );
    const status = await (await fetch(server.admin("/statusz"))).text();
    assert.match(status, /"outcome": "unproven",\s+"reason": ".*Gather/);
  });

  it("a port that is taken has no code: the model is not to blame", async (t) => {
    const first = startServer(t, ANGLE_MODEL);
    await first.ready;
    const port = new URL(first.url("/")).port;
    const second = startServer(t, ANGLE_MODEL, ["--http-port", port]);
    assert.deepEqual(await second.exit, { code: 1, signal: null });
    assert.match(
      second.termination(),
      new RegExp(`^the http port cannot be opened: listen EADDRINUSE.*${port}.*--http-port`),
    );
  });
});

describe("the server outlives its shard", { concurrency: 2 }, () => {
  it("a run that does not end is killed at --request-timeout, probes answer meanwhile, and it serves again", async (t) => {
    const server = startServer(t, loopModel(), ["--request-timeout", "2s", "--shards", "1"]);
    await server.ready;
    const { pid } = server.process;
    let status: number | undefined;
    const endless = inferLoop(server, "9223372036854775807").then((answer) => {
      status = answer.status;
    });
    await until("the run", async () => /berth_inflight_requests 1\b/.test(await metricsOf(server)));
    let probed = 0;
    while (status === undefined) {
      assert.equal((await fetch(server.admin("/livez"))).status, 200);
      if (status === undefined) probed++;
      await sleep(20);
    }
    await endless;
    assert.equal(status, 504);
    assert.ok(probed > 0, "/livez did not answer before the run was killed");
    await until("ready again", async () => (await fetch(server.admin("/readyz"))).status === 200);
    await until("the log of it", () => server.log.some((line) => line.includes("is ready again")));
    const answer = await (await inferLoop(server, "5")).text();
    assert.match(answer, /"name":"sum".*"data":\[5\]/);
    assert.equal(server.process.pid, pid);
    assert.equal(server.process.exitCode, null);
    assert.ok(server.log.some((line) => /a run took longer than --request-timeout \(2 s\)/.test(line)));
    assert.match(await metricsOf(server), /berth_shard_restarts_total 1\b/);
    assert.match(await (await fetch(server.admin("/statusz"))).text(), /"restarts": 1\b/);
  });

  it("a shard that dies while nothing runs: the requests that come then wait for the next one", async (t) => {
    const server = startServer(t, loopModel(), ["--shards", "1"]);
    await server.ready;
    process.kill(shardOf(server), "SIGKILL");
    await until("the loss in its log", () => server.log.some((line) => line.includes("is being restarted")));
    const answer = await inferLoop(server, "5");
    assert.equal(answer.status, 200, await answer.text());
  });

  it("a shard that is killed is started again; after five within a minute the server ends and blames no model", async (t) => {
    const server = startServer(t, ANGLE_MODEL, ["--shards", "1"]);
    await server.ready;
    for (let crash = 1; crash <= 5; crash++) {
      const shard = shardOf(server);
      process.kill(shard, "SIGKILL");
      if (crash === 5) break;
      await until(
        `a new shard after crash ${crash}`,
        () => server.log.filter((l) => l.includes("is ready again")).length >= crash,
      );
      assert.notEqual(shardOf(server), shard);
      assert.equal((await fetch(server.url("/v2/health/ready"))).status, 200);
    }
    assert.deepEqual(await server.exit, { code: 1, signal: null });
    assert.match(server.termination(), /^the server's process keeps ending while serving: .*SIGKILL; .*memory/);
  });
});
