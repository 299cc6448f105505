/** Clients that make much wait in the router: what it takes stays bounded, and others are answered. */
import assert from "node:assert/strict";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { until } from "../../world/patience.ts";
import { post } from "./clients.ts";
import { startWell } from "./pods.ts";
import { type Router, startRouter } from "./router.ts";

const MIB = 1024 ** 2;
const KEPT = 32 * MIB;
/** A reserve of an eighth comes on top, for who holds little. */
const BOUND = (KEPT * 9) / 8;
/** As the routers' pods have it. */
const FLAGS = ["--max-old-space-size=192"];

const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends) await end();
});

const dial = (port: number): Socket => {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.resume();
  ends.push(() => socket.destroy());
  return socket;
};
const session = (port: number, settings = {}): ClientHttp2Session => {
  const made = connectHttp2(`http://127.0.0.1:${port}`, { settings, maxSessionMemory: 1000 });
  made.on("error", () => undefined);
  ends.push(() => made.destroy());
  return made;
};
const bounded = async ({ told }: Router): Promise<number> => {
  const { keptBytes } = await told();
  assert.ok(keptBytes <= BOUND, `${keptBytes}`);
  return keptBytes;
};

describe("clients that make much wait", () => {
  it("chunks of one byte, twelve million bytes of them", async () => {
    const router = await startRouter({ pods: [], keptBytes: KEPT }, FLAGS);
    ends.push(router.stop);
    const sockets = [dial(router.port), dial(router.port)];
    for (const socket of sockets) {
      socket.write("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n");
      socket.write("1\r\nx\r\n".repeat(1_000_000));
    }
    await until("all of it to come", async () => (await bounded(router)) > MIB);
    const { rssBytes } = await router.told();
    assert.ok(rssBytes < 400 * MIB, `${rssBytes}`);
    for (const socket of sockets) socket.destroy();
    await until("all of it given back", async () => (await bounded(router)) === 0);
  });

  it("750 large calls without a pod, and windows of nothing", async () => {
    const router = await startRouter({ pods: [], keptBytes: KEPT }, FLAGS);
    ends.push(router.stop);
    const sessions = [0, 1, 2].map(() => session(router.port, { initialWindowSize: 0 }));
    let refused = 0;
    for (const one of sessions) {
      for (let i = 0; i < 250; i++) {
        const stream = one.request({ ":method": "POST", ":path": "/" });
        stream.on("error", () => undefined).on("response", () => refused++);
        stream.write(Buffer.alloc(MIB - 10));
      }
    }
    await until("some to be refused", async () => {
      await bounded(router);
      return refused > 100;
    });
    const { rssBytes } = await router.told();
    assert.ok(rssBytes < 500 * MIB, `${rssBytes}`);
    for (const one of sessions) one.destroy();
    await until("all of it given back", async () => (await bounded(router)) === 0);
  });

  it("connections that say nothing", async () => {
    const pod = await startWell();
    const router = await startRouter({ pods: [{ http: pod.http, grpc: 1 }] }, FLAGS);
    ends.push(router.stop, pod.stop);
    const silent = Array.from({ length: 3200 }, () => dial(router.port));
    await until("all there may be", async () => (await router.told()).connections >= 3072);
    assert.equal(await post(router.port, Buffer.from("x")), "200");
    for (const socket of silent) socket.destroy();
  });
});
