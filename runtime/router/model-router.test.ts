import assert from "node:assert/strict";
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { after, describe, it } from "node:test";
import { PATIENCE_MS, until } from "../../test/world/patience.ts";
import { TIMES } from "../transport/http/times.ts";
import type { Arm } from "./fleet.ts";
import { createKeptBytes } from "./kept-bytes.ts";
import { createModelRouter, type ModelRouter, type RouterOptions } from "./model-router.ts";

type Handler = (request: IncomingMessage, body: Buffer, response: ServerResponse) => void;
type Backend = { port: number; requests: number; close(): void };

const open: { close(): void }[] = [];
after(() => {
  for (const one of open) one.close();
});

const backend = async (handler: Handler): Promise<Backend> => {
  const server: Server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      made.requests++;
      handler(request, Buffer.concat(pieces), response);
    });
  });
  const made: Backend = {
    port: 0,
    requests: 0,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  open.push(made);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  made.port = typeof address === "object" && address !== null ? address.port : 0;
  return made;
};

const echo: Handler = (request, body, response) =>
  response.writeHead(200, { "content-type": "text/plain" }).end(`${request.method} ${request.url} ${body.length}`);

const settings = { maxRequests: 10, maxWaitMs: PATIENCE_MS, requestTimeoutMs: PATIENCE_MS, tolerances: new Map() };
const heldBy = ({ fleet }: ModelRouter, revision: string, count = 1): Promise<void> =>
  until(
    `${count} requests that wait`,
    () => fleet.arm(revision).counters.held === count,
    () => fleet.arm(revision).counters,
  );

const start = async (
  options: Partial<RouterOptions> = {},
  wanted: (arm: Arm) => void = () => undefined,
): Promise<{ router: ModelRouter; port: number }> => {
  const router = createModelRouter(
    "digits",
    settings,
    {
      kept: createKeptBytes(64 * 1024 ** 2),
      times: { ...TIMES, sweepMs: 50 },
      cap: 256,
      maxHeldBytes: 64 * 1024 ** 2,
      maxConnectionAgeMs: 300_000,
      maxConnections: 100,
      now: () => performance.now(),
      random: () => 0,
      closing: () => false,
      report: (error) => assert.fail(String(error)),
      ...options,
    },
    wanted,
  );
  const port = await router.listener.listen(0, "127.0.0.1");
  open.push(router.listener);
  return { router, port };
};

const pod = (name: string, port: number, isReady = true) => ({
  ...{ name, host: "127.0.0.1", httpPort: port, grpcPort: 1, isReady, isTerminating: false },
});

type Answer = { status: number; headers: IncomingMessage["headers"]; body: string };

const ask = (port: number, path = "/", body: string | Buffer = "", headers = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest({ port, host: "127.0.0.1", path, method: "POST", headers, agent: false }, (reply) => {
      let text = "";
      reply.setEncoding("latin1");
      reply.on("data", (piece: string) => {
        text += piece;
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: text }));
      reply.on("error", reject);
    });
    sent.on("error", reject).end(body);
  });

const stable = { revision: "digits-a", role: "stable" };
const canary = { revision: "digits-b", role: "canary" };
/** Each request goes to the canary, since chance is 0 in these tests. */
const NEARLY_ALL = {
  epoch: 1,
  routes: [
    { ...stable, weight: 1 },
    { ...canary, weight: 99 },
  ],
};

/** A router whose only revision has one pod. */
const routedTo = async (server: Backend, options: Partial<RouterOptions> = {}) => {
  const started = await start(options);
  started.router.offer({ epoch: 1, routes: [{ ...stable, weight: 100 }] });
  started.router.fleet.setPods("digits-a", [pod("a1", server.port)]);
  return started;
};
const serving = async (handler: Handler, options: Partial<RouterOptions> = {}) => {
  const server = await backend(handler);
  return { server, ...(await routedTo(server, options)) };
};

describe("a router", () => {
  it("passes requests to a pod of stable, says which revision answered, and counts", async () => {
    const { router, port } = await serving(echo);
    const answer = await ask(port, "/v2/models/digits?x=1", "hello");
    assert.deepEqual([answer.status, answer.body], [200, "POST /v2/models/digits?x=1 5"]);
    assert.equal(answer.headers["x-berth-revision"], "digits-a");
    const { counters, pods } = router.fleet.arm("digits-a");
    assert.equal(counters.outcomes.ok, 1);
    assert.equal(pods[0]?.evidence.requests, 1);
    assert.equal(pods[0]?.outstanding, 0);
  });

  it("has no answer before it has routes, and says so", async () => {
    const { port } = await start();
    const answer = await ask(port);
    assert.equal(answer.status, 503);
    assert.match(answer.body, /no routes for digits yet/);
    assert.equal(answer.headers["retry-after"], "1");
  });

  it("passes a body that is too large to be kept as it comes, to stable only", async () => {
    const [one, two] = [await backend(echo), await backend(echo)];
    const { router, port } = await start();
    router.offer(NEARLY_ALL);
    router.fleet.setPods("digits-a", [pod("a1", one.port)]);
    router.fleet.setPods("digits-b", [pod("b1", two.port)]);
    const large = Buffer.alloc(5 * 1024 ** 2, 7);
    assert.equal((await ask(port, "/", large)).body, `POST / ${large.length}`);
    const chunked = await ask(port, "/", large, { "transfer-encoding": "chunked" });
    assert.equal(chunked.body, `POST / ${large.length}`);
    assert.deepEqual([one.requests, two.requests], [2, 0]);
    assert.equal((await ask(port, "/", "small")).headers["x-berth-revision"], "digits-b");
  });

  it("asks stable where the canary fails, and the client sees nothing of it", async () => {
    const broken = await backend((_, __, response) => response.writeHead(500).end("no"));
    const cut = await backend((_, __, response) => response.destroy());
    const server = await backend(echo);
    const { router, port } = await start();
    router.offer(NEARLY_ALL);
    router.fleet.setPods("digits-a", [pod("a1", server.port)]);
    for (const bad of [pod("b1", broken.port), pod("b2", cut.port), pod("b3", 1)]) {
      router.fleet.setPods("digits-b", [bad]);
      const answer = await ask(port, "/", "hello");
      assert.deepEqual([answer.status, answer.headers["x-berth-revision"]], [200, "digits-a"]);
    }
    const { counters, departed, evidence: ofNoPod, pods } = router.fleet.arm("digits-b");
    assert.equal(counters.replayed, 3);
    assert.deepEqual([counters.outcomes.unreachable, counters.transport.unreachable], [1, 1]);
    const evidence = [...[...departed.map(({ pod }) => pod), ...pods].map((one) => one.evidence), ofNoPod];
    assert.deepEqual(
      evidence.map(({ errors, requests }) => [requests, errors]),
      [
        [1, 1],
        [1, 1],
        // the third pod was never asked: the revision has not answered
        [0, 0],
        [1, 1],
      ],
    );
    // replays are no evidence on stable
    assert.equal(router.fleet.arm("digits-a").pods[0]?.evidence.requests, 0);
  });

  it("asks stable what the canary refuses, and blames the client only where stable refuses it, too", async () => {
    const refusing = await backend((_, __, response) => response.writeHead(400).end("no such input"));
    let stableSays = 200;
    const server = await backend((_, __, response) => response.writeHead(stableSays).end("stable"));
    const { router, port } = await start();
    router.offer(NEARLY_ALL);
    router.fleet.setPods("digits-a", [pod("a1", server.port)]);
    router.fleet.setPods("digits-b", [pod("b1", refusing.port)]);
    const evidence = () => {
      const { errors = 0, requests = 0 } = router.fleet.arm("digits-b").pods[0]?.evidence ?? {};
      return [requests, errors];
    };
    const first = await ask(port, "/", "hello");
    assert.deepEqual([first.status, first.body, evidence()], [200, "stable", [1, 1]]);
    stableSays = 400;
    const second = await ask(port, "/", "hello");
    assert.deepEqual([second.status, second.body, evidence()], [400, "stable", [2, 1]]);
  });

  it("asks stable where the canary does not begin to answer in time", async () => {
    // time for stable, once the canary has the request
    const silent = await backend(() => router.configure(settings));
    const server = await backend(echo);
    const { router, port } = await start();
    router.configure({ ...settings, requestTimeoutMs: 300 });
    router.offer(NEARLY_ALL);
    router.fleet.setPods("digits-a", [pod("a1", server.port)]);
    router.fleet.setPods("digits-b", [pod("b1", silent.port)]);
    const answer = await ask(port, "/", "hello");
    assert.deepEqual([answer.status, answer.headers["x-berth-revision"]], [200, "digits-a"]);
    assert.equal(router.fleet.arm("digits-b").counters.outcomes.late, 1);
  });

  it("passes what stable answers, be it 500, and gives 504 where it does not", async () => {
    const failing = await backend((_, __, response) => response.writeHead(500).end("no"));
    const silent = await backend(() => undefined);
    const { router, port } = await start();
    router.offer({ epoch: 1, routes: [{ ...stable, weight: 100 }] });
    router.fleet.setPods("digits-a", [pod("a1", failing.port)]);
    assert.equal((await ask(port)).status, 500);
    router.fleet.setPods("digits-a", [pod("a2", silent.port)]);
    router.configure({ ...settings, requestTimeoutMs: 300 });
    const late = await ask(port);
    assert.equal(late.status, 504);
    assert.match(late.body, /pod a2 sent no answer within 300 ms/);
  });

  it("takes another pod where one cannot be reached", async () => {
    const server = await backend(echo);
    const { router, port } = await start();
    router.offer({ epoch: 1, routes: [{ ...stable, weight: 100 }] });
    router.fleet.setPods("digits-a", [pod("a1", 1), pod("a2", server.port)]);
    for (let i = 0; i < 5; i++) assert.equal((await ask(port)).status, 200);
    const { counters, pods } = router.fleet.arm("digits-a");
    assert.deepEqual([counters.transport.unreachable, counters.outcomes.unreachable, counters.outcomes.ok], [1, 0, 5]);
    assert.deepEqual(
      pods.map(({ evidence, outstanding }) => [evidence.requests, evidence.errors, outstanding]),
      [
        [0, 0, 0],
        [5, 0, 0],
      ],
    );
  });

  it("keeps a request whose only pod is gone until there is one again, or its time is over", async () => {
    const server = await backend(echo);
    const { router, port } = await start();
    router.offer({ epoch: 1, routes: [{ ...stable, weight: 100 }] });
    router.fleet.setPods("digits-a", [pod("a1", 1)]);
    const waiting = ask(port, "/", "hello");
    await heldBy(router, "digits-a");
    router.fleet.setPods("digits-a", [pod("a2", server.port)]);
    assert.equal((await waiting).status, 200);
    router.configure({ ...settings, maxWaitMs: 500 });
    router.fleet.setPods("digits-a", [pod("a3", 1)]);
    const before = performance.now();
    assert.equal((await ask(port, "/", "hello")).status, 503);
    const waited = performance.now() - before;
    assert.ok(waited >= 499, `${waited} ms`);
  });

  it("sends a tester where it asks, and counts that for nothing", async () => {
    const [one, two] = [await backend(echo), await backend(echo)];
    const { router, port } = await start();
    router.offer({
      epoch: 1,
      routes: [
        { ...stable, weight: 100 },
        { ...canary, weight: 0 },
      ],
    });
    router.fleet.setPods("digits-a", [pod("a1", one.port)]);
    router.fleet.setPods("digits-b", [pod("b1", two.port)]);
    const answer = await ask(port, "/", "x", { "x-berth-revision": "digits-b" });
    assert.equal(answer.headers["x-berth-revision"], "digits-b");
    assert.equal(router.fleet.arm("digits-b").pods[0]?.evidence.requests, 0);
    const none = await ask(port, "/", "x", { "x-berth-revision": "digits-c" });
    assert.equal(none.status, 404);
    assert.match(none.body, /has no revision .*digits-c.* now; use one of digits-a, digits-b/);
  });

  it("holds requests until a pod is ready, and turns away what is too much or too long", async () => {
    const server = await backend(echo);
    const asked: string[] = [];
    const { router, port } = await start({}, ({ revision }) => asked.push(revision));
    router.configure({ ...settings, maxRequests: 3 });
    router.offer({ epoch: 1, routes: [{ ...stable, weight: 100 }] });
    const waiting = Array.from({ length: 4 }, () => ask(port));
    const refused = () => router.fleet.arm("digits-a").counters.refused;
    await until(
      "the fourth turned away",
      () => refused() === 1,
      () => router.fleet.arm("digits-a").counters,
    );
    router.fleet.setPods("digits-a", [pod("a1", server.port, false)]);
    assert.equal(server.requests, 0);
    router.fleet.setReady("digits-a", "a1");
    const statuses = (await Promise.all(waiting)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 200, 200, 503]);
    assert.ok(asked.includes("digits-a"));
    const arm = router.fleet.arm("digits-a");
    assert.equal(arm.counters.held, 3);
    assert.deepEqual(arm.pods[0]?.evidence.requests, 3);
    // held requests say nothing of latency
    assert.equal(
      arm.pods[0]?.evidence.buckets.reduce((sum, count) => sum + count, 0),
      0,
    );
    router.fleet.setPods("digits-a", []);
    router.configure({ ...settings, maxWaitMs: 300 });
    const before = performance.now();
    const late = await ask(port);
    assert.equal(late.status, 503);
    assert.ok(performance.now() - before >= 299);
  });

  it("never has more requests under way on a pod than its cap", async () => {
    let underWay = 0;
    let most = 0;
    const server = await backend((_, __, response) => {
      most = Math.max(most, ++underWay);
      setTimeout(() => {
        underWay--;
        response.end("x");
      }, 20);
    });
    const { port } = await routedTo(server, { cap: 2 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(port)));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.equal(most, 2);
  });

  it("lets those who wait for a revision that has no route any more go where the routes lead", async () => {
    const server = await backend(echo);
    const { router, port } = await start();
    router.offer({ epoch: 1, routes: [{ ...stable, weight: 100 }] });
    const waiting = ask(port);
    await heldBy(router, "digits-a");
    router.fleet.setPods("digits-b", [pod("b1", server.port)]);
    router.offer({ epoch: 2, routes: [{ revision: "digits-b", role: "stable", weight: 100 }] });
    assert.equal((await waiting).headers["x-berth-revision"], "digits-b");
  });

  it("passes server-sent events on as they come", async () => {
    let [next, end] = [(): unknown => undefined, (): unknown => undefined];
    const server = await backend((_, __, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      next = () => response.write("data: x\n\n");
      end = () => response.end();
      next();
    });
    const { port } = await routedTo(server);
    const reply = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "x" });
    let events = 0;
    // each is sent once the one before it has come
    for await (const _ of reply.body ?? []) (++events < 3 ? next : end)();
    assert.equal(events, 3);
  });

  it("lets the pod go where the client leaves", async () => {
    let closed = false;
    const server = await backend((request) => {
      request.socket.once("close", () => {
        closed = true;
      });
    });
    const { router, port } = await routedTo(server);
    const socket = connect(port, "127.0.0.1");
    socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx");
    await until("the request at the pod", () => server.requests === 1);
    socket.destroy();
    await until("its connection closed", () => closed);
    assert.equal(router.fleet.arm("digits-a").counters.outcomes.gone, 1);
    assert.equal(router.fleet.arm("digits-a").pods[0]?.outstanding, 0);
  });

  it("answers requests that come together one after the other, and none that is malformed", async () => {
    const { port, server } = await serving(echo);
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("latin1").on("data", (piece) => {
      text += piece;
    });
    const one = "POST /1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na";
    socket.write(
      `${one}${one.replace("/1", "/2")}POST /3 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx`,
    );
    await new Promise((resolve) => socket.once("close", resolve).once("end", resolve));
    assert.match(text, /POST \/1 1[\s\S]*POST \/2 1[\s\S]*HTTP\/1.1 400/);
    assert.equal(server.requests, 2);
  });

  it("does not pass on what is of one connection alone", async () => {
    const server = await backend((request, _, response) => {
      response.setHeader("keep-alive", "timeout=5");
      response.end(JSON.stringify(request.headers));
    });
    const { port } = await routedTo(server);
    const { body, headers } = await ask(port, "/", "x", {
      connection: "close, x-hop",
      "x-hop": "1",
      "x-end": "2",
      te: "gzip",
    });
    const seen: Record<string, string> = JSON.parse(body);
    assert.deepEqual([seen["x-hop"], seen.te, seen["x-end"]], [undefined, undefined, "2"]);
    assert.equal(headers["keep-alive"], undefined);
  });

  it("closes a connection that is too old with its answer", async () => {
    const server = await backend(echo);
    const { port } = await routedTo(server, { maxConnectionAgeMs: 0 });
    const answer = await ask(port, "/", "x", { connection: "keep-alive" });
    assert.equal(answer.headers.connection, "close");
  });

  it("speaks HTTP/2 on the same port", async () => {
    const { port } = await serving(echo);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const answers = await Promise.all(
      Array.from(
        { length: 10 },
        (_, i) =>
          new Promise<string>((resolve, reject) => {
            const stream = session.request({ ":method": "POST", ":path": `/${i}` });
            let text = "";
            stream.setEncoding("latin1").on("data", (piece) => {
              text += piece;
            });
            stream.on("end", () => resolve(text)).on("error", reject);
            stream.end("hello");
          }),
      ),
    );
    assert.deepEqual(
      answers,
      Array.from({ length: 10 }, (_, i) => `POST /${i} 5`),
    );
    session.close();
  });
});
