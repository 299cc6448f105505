import assert from "node:assert/strict";
import { Agent } from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { identityModel } from "../../runtime/models.ts";
import { startServer } from "../../runtime/server.ts";
import { CLUSTER_PATIENCE_S, until } from "../../world/patience.ts";
import { assertTells, bystander, post } from "./bystander.ts";
import { MIB, peakGrowth } from "./memory.ts";
import { damaged, RUNS, SEED } from "./mutations.ts";
import { dribble, exchange, type Raw, rawConnection, statusOf } from "./raw.ts";

const good = '{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}';
const head = (length: number | string, more = ""): string =>
  `POST /v2/models/m/infer HTTP/1.1\r\nhost: m\r\n${more}content-length: ${length}\r\n\r\n`;

test("clients that do harm over HTTP are told what is wrong, and nobody else notices", {
  timeout: CLUSTER_PATIENCE_S * 1000,
}, async (t) => {
  const server = startServer(t, identityModel({ x: { type: "FP32", shape: ["batch", 4] } }), []);
  await server.ready;
  const port = server.httpPort();
  const other = bystander(server, good);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  // It takes a minute until this is ended: the others run meanwhile.
  const slowBody = Array.from({ length: 50 }, () => rawConnection(port));
  const dripping = setInterval(async () => {
    for (const raw of await Promise.all(slowBody)) if (!raw.socket.destroyed) raw.socket.write("1");
  }, 1000);
  t.after(() => clearInterval(dripping));
  for (const raw of await Promise.all(slowBody)) raw.socket.write(head(1_000_000));

  const refused = async (bytes: string | Uint8Array, status: number, fault: RegExp): Promise<void> => {
    const answer = await exchange(port, bytes);
    assert.equal(
      statusOf(answer),
      status,
      `${answer.slice(0, 500)} to ${Buffer.from(bytes).toString("latin1", 0, 200)}`,
    );
    assertTells(answer, fault);
  };
  const refusedBody = (body: string | Uint8Array, status: number, fault: RegExp, more = "") =>
    refused(Buffer.concat([Buffer.from(head(Buffer.byteLength(body), more)), Buffer.from(body)]), status, fault);

  await t.test("JSON that is 100,000 deep, in each place where JSON may stand", async () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    const objects = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    await refusedBody(deep, 400, /nest|deep/);
    await refusedBody(objects, 400, /nest|deep/);
    await refusedBody(good.replace("[1,2,3,4]", deep), 400, /nest|deep/);
    await refusedBody(good.replace('"inputs"', `"parameters":${objects},"inputs"`), 400, /nest|deep/);
    await refusedBody("[".repeat(5_000_000), 400, /nest|deep/);
  });

  await t.test("lengths that are wrong", async () => {
    await refused(`${head(good.length + 50)}${good}`, 400, /end|early|cut/);
    await refusedBody(good.replace("[1,4]", "[2,4]"), 400, /x.{1,20}wants 8 elements/);
    await refusedBody(good.replace("[1,4]", "[1000000000,4]"), 400, /x.{1,20}wants 4000000000 elements/);
    await refusedBody(good.replace("[1,4]", "[9007199254740991,4]"), 400, /more elements|counted/);
    await refusedBody(good.replace("[1,4]", "[-1,4]"), 400, /shape/);
    const envelope = '{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}]}';
    const binary = (json: string, bytes: number, length: number | string = json.length) =>
      refusedBody(
        Buffer.concat([Buffer.from(json), Buffer.alloc(bytes)]),
        400,
        /./,
        `inference-header-content-length: ${length}\r\n`,
      );
    await binary(envelope, 15);
    await binary(envelope, 17);
    await binary(envelope.replace("16", "4294967296"), 16);
    await binary(envelope.replace("16", "-16"), 16);
    await binary(envelope, 16, envelope.length + 1000);
    await binary(envelope, 16, "-1");
    await binary(envelope, 16, "1e3");
    await refused(head(""), 400, /./);
    await refused(head("1e3"), 400, /./);
    await refused(head("99999999999999999999"), 413, /--max-body|larger/);
    await refused(head(100_000_000), 413, /--max-body|larger/);
  });

  await t.test("small bodies that decompress to large ones", async () => {
    const bomb = Buffer.alloc(1024 ** 3);
    await refusedBody(gzipSync(bomb, { level: 1 }), 413, /--max-body|larger/, "content-encoding: gzip\r\n");
    await refusedBody(deflateSync(bomb, { level: 1 }), 413, /--max-body|larger/, "content-encoding: deflate\r\n");
    await refusedBody(
      gzipSync(gzipSync(bomb, { level: 1 })),
      415,
      /content-encoding/,
      "content-encoding: gzip, gzip\r\n",
    );
    await refusedBody("no gzip at all", 400, /gzip/, "content-encoding: gzip\r\n");
    await refusedBody(gzipSync(good).subarray(0, 30), 400, /gzip/, "content-encoding: gzip\r\n");
  });

  await t.test("a header that does not end, and too many of them", async () => {
    await refused(`GET /v2 HTTP/1.1\r\nhost: m\r\n${"x: y\r\n".repeat(200_000)}`, 431, /./);
    await refused(`GET /v2 HTTP/1.1\r\nhost: m\r\nx: ${"y".repeat(5_000_000)}`, 431, /./);
    await refused(`GET /${"v".repeat(5_000_000)} HTTP/1.1\r\nhost: m\r\n\r\n`, 431, /./);
  });

  await t.test("a request in chunks of one byte is answered", async () => {
    const raw = await rawConnection(port);
    const chunks = [...Buffer.from(good)].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join("");
    const request = `POST /v2/models/m/infer HTTP/1.1\r\nhost: m\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
    await dribble(raw, Buffer.from(request), 0);
    assert.equal(statusOf(await raw.closed()), 200);
  });

  await t.test("a client that closes its sending half still gets its answer", async () => {
    const answer = await exchange(port, `${head(good.length)}${good}`);
    assert.equal(statusOf(answer), 200);
    assert.match(answer, /"data":\[1,2,3,4\]/);
  });

  await t.test("a thousand connections that send a header byte by byte are ended, and hold nobody up", async () => {
    const slow = await Promise.all(Array.from({ length: 1000 }, () => rawConnection(port)));
    for (const { socket } of slow) socket.write("POST /v2/models/m/infer HTTP/1.1\r\nhost: m\r\n");
    const dripping = setInterval(() => {
      for (const { socket } of slow) if (!socket.destroyed) socket.write("x");
    }, 500);
    t.after(() => clearInterval(dripping));
    const before = other.answered();
    await until("20 answers to others", () => other.answered() > before + 20, other.answered);
    assert.ok(!slow.every((raw) => raw.ended()), "others were held up until these had ended");
    const answers = await Promise.all(slow.map((raw) => raw.closed()));
    clearInterval(dripping);
    for (const answer of answers) if (answer !== "") assert.equal(statusOf(answer), 408, answer);
  });

  await t.test(
    "more connections than the server wants: those that have been silent for longest make room, and the last is served",
    async () => {
      const many: Raw[] = [];
      for (let i = 0; i < 46; i++) {
        many.push(...(await Promise.all(Array.from({ length: 100 }, () => rawConnection(port)))));
      }
      await until("the ones that made room are closed", () => many.filter(({ ended }) => ended()).length > 400);
      assert.equal(many[0]?.ended(), true);
      // where all are busy for a moment, who comes is told so
      for (const { text } of many.filter((each) => each.text() !== "")) {
        assert.equal(statusOf(text()), 503);
        assertTells(text(), /connections/);
      }
      const last = many.at(-1);
      last?.socket.write(`${head(good.length)}${good}`);
      await until("an answer on the last of them", () => statusOf(last?.text() ?? "") === 200);
      for (const { socket } of many) socket.destroy();
      await until("room again", async () => {
        const answer = await exchange(port, `${head(good.length)}${good}`);
        return statusOf(answer) === 200;
      });
    },
  );

  await t.test("clients that read nothing of large answers take no more memory than their answers", async () => {
    const rows = 250_000;
    const envelope = JSON.stringify({
      inputs: [{ name: "x", shape: [rows, 4], datatype: "FP32", parameters: { binary_data_size: rows * 16 } }],
      parameters: { binary_data_output: true },
    });
    const body = Buffer.concat([Buffer.from(envelope), Buffer.alloc(rows * 16)]);
    const request = Buffer.concat([
      Buffer.from(head(body.length, `inference-header-content-length: ${envelope.length}\r\n`)),
      body,
    ]);
    const growth = await peakGrowth(server.process.pid ?? 0, async () => {
      const greedy = await Promise.all(Array.from({ length: 20 }, () => rawConnection(port)));
      for (const { socket } of greedy) {
        socket.pause();
        // Ten requests each: the next is not read before the answer was taken.
        for (let i = 0; i < 10; i++) socket.write(request);
      }
      const before = other.answered();
      // time for more memory than is right
      await sleep(3000);
      await until("20 answers to others", () => other.answered() > before + 20, other.answered);
      for (const { socket } of greedy) socket.destroy();
    });
    t.diagnostic(`${Math.round(growth / MIB)} MiB for 20 answers of 4 MB that nobody reads`);
    assert.ok(growth < 512 * MIB, `${Math.round(growth / MIB)} MiB`);
  });

  await t.test("clients that leave in the middle of a header, of a body, and before their answer", async () => {
    const whole = `${head(good.length)}${good}`;
    for (let i = 0; i < 300; i++) {
      const raw = await rawConnection(port);
      raw.socket.write(whole.slice(0, i % 3 === 0 ? undefined : (i * 7) % whole.length));
      if (i % 2 === 0) raw.socket.resetAndDestroy();
      else raw.socket.destroy();
    }
    await until("no request is left", async () => {
      const text = await (await fetch(server.admin("/metrics"))).text();
      const waiting = /^berth_inflight_requests(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1];
      const open = /^berth_connections\{[^}]*http[^}]*\} (\d+)/m.exec(text)?.[1];
      // what is left: the bystander, the damaged requests' own connection, and the slow bodies
      return Number(waiting ?? assert.fail(text)) <= 1 && Number(open ?? assert.fail(text)) <= 52;
    });
  });

  await t.test("TF Serving's JSON, 100,000 deep", async () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    for (const path of ["/v1/models/m:predict", "/v1/models/m:classify"]) {
      for (const body of [
        `{"instances":${deep}}`,
        `{"inputs":${deep}}`,
        `{"examples":[{"x":${deep}}]}`,
        `{"a":${deep}}`,
        deep,
      ]) {
        const { status, text } = await post(server, body, { path });
        assert.equal(status, 400, text);
        assertTells(text, /nest|deep/);
      }
    }
  });

  await t.test("damaged requests are all answered, and none with 500", async () => {
    const seen = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          damaged([good, good.replace("[1,2,3,4]", "[[1,2,3,4]]")].map((text) => Buffer.from(text))).map((body) => ({
            path: "/v2/models/m/infer",
            body,
          })),
          damaged([Buffer.from('{"instances":[[1,2,3,4]]}')]).map((body) => ({ path: "/v1/models/m:predict", body })),
        ),
        async ({ path, body }) => {
          const { status, text } = await post(server, body, { path, agent });
          seen.set(status, (seen.get(status) ?? 0) + 1);
          assert.ok(status < 500, `${status} ${text}`);
          if (status >= 400) assertTells(text, /./);
        },
      ),
      { seed: SEED, numRuns: Math.min(RUNS, 100_000) / 10 },
    );
    t.diagnostic(`statuses: ${[...seen].map(([status, count]) => `${status}: ${count}`).join(", ")}`);
    assert.ok((seen.get(200) ?? 0) > 0 && (seen.get(400) ?? 0) > 0);
  });

  await t.test("bodies that come byte by byte are ended after a minute", async () => {
    for (const raw of await Promise.all(slowBody)) {
      const answer = await raw.closed();
      assert.equal(statusOf(answer), 408, answer);
      assertTells(answer, /body took too long/);
    }
  });

  await t.test("after all of it the server is the same, and answers", async () => {
    assert.equal((await post(server, good)).status, 200);
    assert.equal(server.process.exitCode, null);
    assert.deepEqual(await other.stop(), []);
    assert.ok(other.answered() > 500);
    assert.doesNotMatch(await (await fetch(server.admin("/metrics"))).text(), /berth_shard_restarts_total [1-9]/);
  });
});
