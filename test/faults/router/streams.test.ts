/** Clients that open streams and say nothing more. */
import assert from "node:assert/strict";
import { createServer } from "node:http2";
import { after, describe, it } from "node:test";
import { until } from "../../world/patience.ts";
import { FRAME } from "../../world/raw-http2.ts";
import { call, grpcConnection, openStream, post } from "./clients.ts";
import { startWell } from "./pods.ts";
import { startRouter } from "./router.ts";

const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends) await end();
});

/** A pod whose streams wait for their clients for as long as they like. */
const patientPod = async (): Promise<number> => {
  const server = createServer();
  server.on("session", (session) => {
    ends.push(() => session.destroy());
    session.on("error", () => undefined);
    session.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      if (String(headers[":path"]).endsWith("ModelInfer"))
        stream.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
      else stream.resume();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

describe("clients that open streams and say nothing more", () => {
  it("close the model to nobody, and are ended when they have been silent for too long", async () => {
    const router = await startRouter({ pods: [{ http: 1, grpc: await patientPod() }], cap: 64, streamIdleMs: 3000 });
    ends.push(router.stop);
    const flood = await Promise.all(Array.from({ length: 4 }, () => grpcConnection(router.port)));
    ends.push(
      ...flood.map(
        ({ socket }) =>
          () =>
            socket.destroy(),
      ),
    );
    const streams = flood.flatMap((client) =>
      Array.from({ length: 200 }, () => ({ client, stream: openStream(client) })),
    );
    const openOnes = () => streams.filter(({ client, stream }) => !client.isOver(stream)).length;
    await until("those ended that are too many", () => openOnes() <= 48, openOnes);
    const { outstanding, streams: held } = await router.told();
    assert.deepEqual([outstanding, held], [0, 48], "three quarters of 64 for one address");
    const other = await grpcConnection(router.port);
    ends.push(() => other.socket.destroy());
    const calls = Array.from({ length: 50 }, () => call(other));
    await until("answers to another client", () => calls.every(other.isOver));
    for (const one of calls) assert.doesNotMatch(other.textOf(one), /grpc-message/);
    await until("the silent ones ended", () => openOnes() === 0);
    const { evidence } = await router.idle();
    assert.equal(evidence.errors, 0);
    await router.stop();
  });

  it("open and reset them without an end, and others are answered", async () => {
    const pod = await startWell();
    ends.push(pod.stop);
    const router = await startRouter({ pods: [pod], cap: 8 });
    ends.push(router.stop);
    let isOn = true;
    const storm = async (): Promise<void> => {
      while (isOn) {
        const client = await grpcConnection(router.port);
        for (let i = 0; i < 500 && isOn; i++) {
          const stream = openStream(client);
          client.send({ type: FRAME.reset, stream, payload: Buffer.from([0, 0, 0, 8]) });
          if (i % 50 === 0) await new Promise(setImmediate);
        }
        client.socket.destroy();
      }
    };
    const storms = [storm(), storm()];
    for (let i = 0; i < 50; i++) assert.equal(await post(router.port, Buffer.alloc(10)), "200");
    isOn = false;
    await Promise.all(storms);
    await router.idle();
    await router.stop();
  });
});
