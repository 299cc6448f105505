import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { fillModel, identityModel } from "../../runtime/models.ts";
import { CLUSTER_PATIENCE_S, until } from "../../world/patience.ts";
import { assertTells, post } from "./bystander.ts";
import { startPod } from "./pod.ts";

const GZIP = { "content-encoding": "gzip" };

const request = (name: string, datatype: string, count: number, element: string): Buffer => {
  const data = Buffer.alloc(count * (element.length + 1) - 1, `${element},`);
  const head = `{"inputs":[{"name":"${name}","shape":[${count}],"datatype":"${datatype}","data":[`;
  return Buffer.concat([Buffer.from(head), data, Buffer.from("]}]}")]);
};

test("strings in a pod of 512 MiB", { timeout: 2 * CLUSTER_PATIENCE_S * 1000 }, async (t) => {
  const pod = await startPod(
    t,
    identityModel({ s: { type: "BYTES", shape: ["n"] } }),
    request("s", "BYTES", 1, '""').toString(),
  );
  const { server } = pod;
  const cases: [string, number, string, number[], RegExp][] = [
    [
      "five million in 15 KB, compressed",
      5_000_000,
      '""',
      [400],
      /input \\?"s\\?": has 5000000 strings, at most 1048576/,
    ],
    [
      "a million: more than such a pod has for requests",
      1_000_000,
      '""',
      [413],
      /needs \d+ bytes of memory.*about 100 for each string/,
    ],
    ["as many as it has memory for", 400_000, '"ab"', [200], /"data":\["ab",/],
  ];
  for (const [what, count, element, statuses, told] of cases) {
    await pod.bears(what, async () => {
      const body = gzipSync(request("s", "BYTES", count, element));
      const { status, text } = await post(server, body, { headers: GZIP });
      assert.ok(statuses.includes(status), `${status} ${text.slice(0, 300)}`);
      assert.match(text.slice(0, 300), told);
    });
  }
  await pod.bears("in binary form, six million of no bytes", async () => {
    const count = 5_900_000;
    const json = `{"inputs":[{"name":"s","shape":[${count}],"datatype":"BYTES","parameters":{"binary_data_size":${4 * count}}}]}`;
    const body = Buffer.concat([Buffer.from(json), Buffer.alloc(4 * count)]);
    const { status, text } = await post(server, body, {
      headers: { "inference-header-content-length": String(json.length) },
    });
    assert.equal(status, 400, text.slice(0, 300));
    assertTells(text, /has 5900000 strings/);
  });
  await pod.bears("a hundred such requests at once", async () => {
    const body = gzipSync(request("s", "BYTES", 300_000, '""'));
    const answers = await Promise.all(Array.from({ length: 100 }, () => post(server, body, { headers: GZIP })));
    const statuses = new Set(answers.map(({ status }) => status));
    assert.ok(
      answers.some(({ status }) => status === 200) && [...statuses].every((one) => one === 200 || one === 429),
      [...statuses].join(),
    );
  });
  await pod.end();
});

test("numbers in a pod of 512 MiB", { timeout: 3 * CLUSTER_PATIENCE_S * 1000 }, async (t) => {
  const model = identityModel({ i: { type: "INT64", shape: ["n"] } });
  const pod = await startPod(t, model, request("i", "INT64", 1, "1").toString());
  const { server } = pod;
  await pod.bears("twelve million in the largest body, which take four times as much", async () => {
    const { status, text } = await post(server, request("i", "INT64", 12_000_000, "0"));
    assert.equal(status, 413, text.slice(0, 300));
    assertTells(text, /needs \d+ bytes of memory/);
  });
  await pod.bears("two million, there and back", async () => {
    const { status, text } = await post(server, request("i", "INT64", 2_000_000, "1234567"));
    assert.equal(status, 200, text.slice(0, 300));
    assert.ok(text.endsWith("1234567,1234567]}]}"), text.slice(-100));
  });
  await pod.end();
});

test("answers that nobody takes, in a pod of 512 MiB", { timeout: 3 * CLUSTER_PATIENCE_S * 1000 }, async (t) => {
  const ask = (count: number) => `{"inputs":[{"name":"n","shape":[1],"datatype":"INT64","data":[${count}]}]}`;
  const pod = await startPod(t, fillModel(), ask(3));
  const { server } = pod;
  await pod.bears("one that is larger than may be answered", async () => {
    const { status, text } = await post(server, ask(8_000_000));
    assert.equal(status, 400, text.slice(0, 300));
    assertTells(text, /outputs of this run have 32000000 bytes, at most/);
  });
  await pod.bears("four megabytes as JSON", async () => {
    const { status, text } = await post(server, ask(1_000_000));
    assert.equal(status, 200, text.slice(0, 300));
    assert.equal(text.split("0.1234567").length, 1_000_001);
  });
  await pod.bears("of 4 MB each for two hundred clients of HTTP", async () => {
    const body = ask(1_000_000);
    const head = `POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const sockets: Socket[] = [];
    /** Those whose answer has begun, or that were disconnected: none is in flight before the first has been read, too. */
    const answered = new Set<Socket>();
    for (let i = 0; i < 200; i++) {
      const socket = connect({ port: server.httpPort(), host: "127.0.0.1" });
      socket.on("error", () => undefined);
      const begun = (): void => {
        answered.add(socket);
        socket.pause();
      };
      socket.once("data", begun).once("close", begun);
      socket.write(head);
      sockets.push(socket);
    }
    const inFlight = async () =>
      /^berth_inflight_requests(?:\{[^}]*\})? 0$/m.test(await (await fetch(server.admin("/metrics"))).text());
    await until("all are run or refused", async () => answered.size === sockets.length && (await inFlight()));
    for (const socket of sockets) socket.destroy();
  });
  await pod.end();
});
