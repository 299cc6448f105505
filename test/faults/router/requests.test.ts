/** Requests that nobody should send: each has an answer or the end of its connection, and the router goes on. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { until } from "../../world/patience.ts";
import { randomFrom } from "../../world/random.ts";
import { callFields, FRAME } from "../../world/raw-http2.ts";
import { call, grpcConnection, MESSAGE, post, throwAt } from "./clients.ts";
import { startWell } from "./pods.ts";
import { startRouter } from "./router.ts";
import { ROUNDS, SEED } from "./seed.ts";

const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends) await end();
});

const NAMES = [
  ...["http2-settings", "user-agent", "te", "authorization", "content-type", "content-length", "grpc-timeout", "host"],
  ...[
    "age",
    "date",
    "etag",
    "from",
    "range",
    "referer",
    "max-forwards",
    "if-match",
    "location",
    "tk",
    "dnt",
    "expires",
  ],
  ...["x-content-type-options", "grpc-encoding", "x-berth-revision", "cookie", "constructor", "__proto__", "x"],
];
const VALUES = [
  "",
  "x",
  "trailers",
  "0",
  "1",
  "99999999H",
  "é",
  "a, b",
  "y".repeat(3000),
  "digits-a",
  "application/grpc",
];
const METHODS = ["POST", "GET", "HEAD", "PUT", "CONNECT", "OPTIONS", "X", "P Q"];

describe(`requests that nobody should send (--seed ${SEED} --runs ${ROUNDS})`, () => {
  it("end, each by itself, and leave others alone", async () => {
    const random = randomFrom(SEED);
    const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] ?? assert.fail();
    const pod = await startWell();
    ends.push(pod.stop);
    const router = await startRouter({ pods: [pod, pod], requestTimeoutMs: 2000, streamIdleMs: 2000 });
    ends.push(router.stop);
    for (let round = 0; round < ROUNDS * 4; round++) {
      const client = await grpcConnection(router.port);
      const streams = Array.from({ length: 20 }, () => {
        const fields = callFields("/a/b").map(([name, value]) =>
          name === ":method" && random() < 0.3 ? ([name, oneOf(METHODS)] as const) : ([name, value] as const),
        );
        const more = Array.from({ length: Math.floor(random() * 4) }, () => [oneOf(NAMES), oneOf(VALUES)] as const);
        const stream = client.open([...fields, ...more], random() < 0.3);
        if (random() < 0.7) client.send({ type: FRAME.data, flags: 1, stream, payload: MESSAGE });
        return stream;
      });
      await until("the end of each", () => client.socket.destroyed || streams.every(client.isOver));
      assert.equal(await post(router.port, Buffer.alloc(10)), "200");
      client.socket.destroy();
    }
    const good = await grpcConnection(router.port);
    const last = call(good);
    await until("an answer", () => good.isOver(last));
    good.socket.destroy();
    const { evidence } = await router.idle();
    assert.equal(evidence.errors, 0, "no pod is to blame for them");
    await router.stop();
  });

  it("are bytes that are no request, and clients that leave in the middle", async () => {
    const random = randomFrom(SEED + 1);
    const pod = await startWell();
    ends.push(pod.stop);
    const router = await startRouter({ pods: [pod], requestTimeoutMs: 2000 });
    ends.push(router.stop);
    const whole = Buffer.from("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n0123456789".repeat(3));
    for (let i = 0; i < ROUNDS * 40; i++) {
      const bytes = Buffer.from(whole.subarray(0, Math.floor(random() * whole.length)));
      for (let flips = Math.floor(random() * 3); flips > 0 && bytes.length > 0; flips--)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      await throwAt(router.port, bytes);
    }
    assert.equal(await post(router.port, Buffer.alloc(10)), "200");
    const { evidence } = await router.idle();
    assert.equal(evidence.errors, 0);
    await router.stop();
  });
});
