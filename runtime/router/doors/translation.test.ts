import assert from "node:assert/strict";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { type Example, type RawPod, startRawPod, startRouter } from "../../../test/world/router.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const many = (count: number): string => Array.from({ length: count }, (_, i) => `x${i}: y\r\n`).join("");

/** By path. */
const ANSWERS: Record<string, string> = {
  "/wide": `HTTP/1.1 200 OK\r\n${many(300)}content-length: 2\r\n\r\nok`,
  "/long": `HTTP/1.1 200 OK\r\nx: ${"y".repeat(40_000)}\r\ncontent-length: 2\r\n\r\nok`,
  "/wider": `HTTP/1.1 200 OK\r\n${many(600)}content-length: 2\r\n\r\nok`,
  "/longer": `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}\r\ncontent-length: 2\r\n\r\nok`,
  "/hints": `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n${OK}`,
  "/trailers":
    "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\ncontent-length: 9\r\n\r\n",
  "/empty": "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
  "/unchanged": "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
  "/switching": "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
  "/nothing": "HTTP/1.1 000 Odd\r\ncontent-length: 2\r\n\r\nok",
  "/other-revision": `HTTP/1.1 200 OK\r\nx-berth-revision: other\r\ncontent-length: 2\r\n\r\nok`,
  "/named":
    "HTTP/1.1 200 OK\r\nconnection: content-type, x-own\r\ncontent-type: a/b\r\nx-own: 1\r\ncontent-length: 2\r\n\r\nok",
};

describe("what reaches a pod, and what comes back", () => {
  let pod: RawPod;
  let example: Example;
  before(async () => {
    pod = await startRawPod((head) => ANSWERS[head.split(" ")[1] ?? ""] ?? OK);
    example = await startRouter([{ http: pod.port, grpc: 1 }]);
  });
  after(() => {
    example.close();
    pod.close();
  });

  /** All that the router answers, until it closes the connection. */
  const raw = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let got = "";
      const socket = connect(example.port, "127.0.0.1", () => socket.write(text, "latin1"));
      socket.on("data", (piece: Buffer) => {
        got += piece.toString("latin1");
      });
      socket.on("error", reject).on("close", () => resolve(got));
    });

  it("is the same by HTTP/2: what HTTP/1.1 refuses is refused, and its stream alone", async () => {
    const session = connectHttp2(`http://127.0.0.1:${example.port}`);
    const ask = (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ":method": "GET", ":path": "/x", ...headers });
        stream.on("error", () => undefined);
        stream.once("response", (answer) => resolve(answer[":status"] ?? 0));
        stream.once("close", () => reject(new Error("closed without an answer")));
        stream.resume();
      });
    const before = pod.heads.length;
    const cases: [number, string, Record<string, string>][] = [
      [400, "GET /x y", { ":path": "/x y" }],
      [400, "GET /x#frag", { ":path": "/x#frag" }],
      [400, "GET x", { ":path": "x" }],
      [400, "GET /\u00ff\u00e9", { ":path": "/\u00ff\u00e9" }],
      [400, "GET /x", { ":authority": "a b:/?" }],
      [400, "GET /x", { odd: "a\u0001b" }],
      [501, "FOO /x", { ":method": "FOO" }],
      [431, "GET /x", Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x${i}`, "y"]))],
    ];
    for (const [status, line, headers] of cases) {
      assert.equal(await ask(headers), status, line);
      const fields = Object.entries(headers).filter(([name]) => !name.startsWith(":"));
      const host = headers[":authority"] ?? "h";
      const text = `${line} HTTP/1.1\r\nHost: ${host}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
      assert.match(await raw(text), new RegExp(`^HTTP/1.1 ${status} `), line);
    }
    assert.equal(await ask({}), 200);
    assert.equal(pod.heads.length, before + 1);
    session.close();
  });

  it("has nothing after its body that says how long that is", async () => {
    const before = pod.heads.length;
    for (const trailer of ["content-length: 5", "x: y\r\nTransfer-Encoding: chunked"]) {
      const text = `POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailer}\r\n\r\n`;
      assert.match(await raw(text), /^HTTP\/1.1 400 .*must not be in the trailers/s);
    }
    assert.equal(pod.heads.length, before);
  });

  it("has a host also where a load balancer's check over HTTP/1.0 names none", async () => {
    assert.match(await raw("GET /v2/health/ready HTTP/1.0\r\n\r\n"), /^HTTP\/1.1 200 .*\r\n\r\nok$/s);
    assert.match(pod.heads.at(-1) ?? "", new RegExp(`\r\nhost: 127.0.0.1:${example.port}\r\n`));
    assert.match(await raw("OPTIONS / HTTP/1.0\r\n\r\n"), /^HTTP\/1.1 200 /);
    assert.match(
      await raw("GET http://other:81/x HTTP/1.1\r\nHost: h\r\nconnection: close\r\n\r\n"),
      /^HTTP\/1.1 200 /,
    );
    assert.match(pod.heads.at(-1) ?? "", /^GET \/x HTTP\/1.1\r\nhost: other:81\r\n/);
  });

  it("tells pods of the client, and keeps what traces and authorises a request", async () => {
    const head = "host: h\r\ntraceparent: 00-1\r\nauthorization: b\r\nx-request-id: 7\r\nx-forwarded-for: 9.9.9.9\r\n";
    const named = "connection: close, host, traceparent, authorization, x-request-id, x-own\r\nx-own: 1\r\n";
    assert.match(await raw(`GET /x HTTP/1.1\r\n${head}${named}\r\n`), /^HTTP\/1.1 200 /);
    assert.deepEqual((pod.heads.at(-1) ?? "").split("\r\n").slice(1), [
      ...["host: h", "traceparent: 00-1", "authorization: b", "x-request-id: 7", "x-forwarded-for: 127.0.0.1"],
      ...["x-forwarded-proto: http", "x-forwarded-host: h", "via: 1.1 berth"],
    ]);
  });

  it("lets a client that sends all it may through to a server that has the same bound", async () => {
    const text = `GET /x HTTP/1.1\r\nhost: h\r\n${many(99)}\r\n`;
    assert.match(
      await raw(text.replace("host", "connection: close\r\nhost").replace("x98: y\r\n", "")),
      /^HTTP\/1.1 200 /,
    );
    assert.ok((pod.heads.at(-1) ?? "").split("\r\n").length <= 1 + 108);
  });

  const ask = (
    path: string,
    headers = {},
  ): Promise<{ status: number; body: string; trailers: object; headers: object }> =>
    new Promise((resolve, reject) => {
      const sent = request({ port: example.port, host: "127.0.0.1", path, headers, agent: false }, (answer) => {
        let body = "";
        answer.on("data", (piece: Buffer) => {
          body += piece.toString("latin1");
        });
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, body, trailers: answer.trailers, headers: answer.headers }),
        );
      });
      sent.on("error", reject).end();
    });

  it("has headers of up to 500 fields and 64 KiB in answers, and says so of larger ones", async () => {
    assert.equal((await ask("/wide")).status, 200);
    assert.equal((await raw("GET /long HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")).length > 40_000, true);
    for (const path of ["/wider", "/longer"]) assert.equal((await ask(path)).status, 502);
  });

  it("passes trailers on, but for what cannot be in them, and no interim answers", async () => {
    assert.deepEqual((await ask("/trailers")).trailers, { "x-sum": "7" });
    assert.match(await raw("GET /trailers HTTP/1.0\r\n\r\n"), /\r\n\r\nok$/);
    const hints = await raw("GET /hints HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    assert.match(hints, /^HTTP\/1.1 200 .*\r\n\r\nok$/s);
  });

  it("has no length where there is never a body", async () => {
    const close = "HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    assert.doesNotMatch(await raw(`GET /empty ${close}`), /content-length/);
    assert.match(await raw(`GET /unchanged ${close}`), /\r\ncontent-length: 5\r\n/);
    assert.match(await raw(`HEAD /x ${close}`), /\r\ncontent-length: 2\r\n/);
  });

  it("is no interim answer that is none, nor waits for what follows one", async () => {
    for (const path of ["/switching", "/nothing"]) assert.equal((await ask(path)).status, 502, path);
  });

  it("names the revision that was asked, whatever a pod says of it", async () => {
    const { headers } = await ask("/other-revision");
    assert.equal(new Map(Object.entries(headers)).get("x-berth-revision"), "digits-a");
  });

  it("keeps what an answer cannot do without, though its pod names it in connection", async () => {
    const { headers } = await ask("/named");
    assert.deepEqual(
      Object.entries(headers).filter(([name]) => name === "content-type" || name === "x-own"),
      [["content-type", "a/b"]],
    );
  });
});
