import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { PATIENCE_MS, until } from "../../../test/world/patience.ts";
import type { Events, Message } from "../message.ts";
import { createPool, type Pool } from "./http1-pool.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

/** A pod that is told of each piece that comes, and which of its connection it is. */
const pod = async (
  onData: (socket: Socket, bytes: string, count: number) => void,
): Promise<{ port: number; server: Server }> => {
  const server = createServer((socket) => {
    let count = 0;
    socket.setEncoding("latin1").on("data", (bytes: string) => onData(socket, bytes, ++count));
    socket.on("error", () => undefined);
    ends.push(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, server };
};

const poolTo = (port: number, now = () => performance.now()): Pool => {
  const pool = createPool({ host: "127.0.0.1", port }, now);
  ends.push(pool.retire);
  return pool;
};

const MESSAGE: Message = {
  ...{ protocol: "http", method: "POST", target: "/x", fields: ["host", "x"] },
  body: { kind: "whole", pieces: [Buffer.from("x")], bytes: 1 },
};

const send = (pool: Pool, message = MESSAGE): Promise<string> =>
  new Promise((resolve) => {
    const events: Events = {
      ...{ reached: () => undefined, head: () => undefined, data: () => undefined, flush: () => "taken" as const },
      end: (_, outcome) => resolve(String(outcome)),
      failed: (kind) => resolve(kind),
    };
    pool.send(message, events);
  });

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/** A pod on a thread of its own, which ends its connections when it is told to, and says when that is done. */
const ENDS_WHEN_TOLD = `
  const { parentPort, workerData: { answer, ended } } = require("node:worker_threads");
  const sockets = [];
  const server = require("node:net").createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined).on("data", () => socket.write(answer));
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
  parentPort.on("message", () => {
    for (const socket of sockets) socket.end(() => {
      Atomics.store(ended, 0, 1);
      Atomics.notify(ended, 0);
    });
  });
`;

describe("the connections to a pod over HTTP/1.1", () => {
  it("take nothing of a body before they have one", async () => {
    let reads = 0;
    const source = {
      read: (_: unknown, end: () => void) => {
        reads++;
        end();
      },
      ...{ pause: () => undefined, resume: () => undefined, isWhole: () => true },
    };
    const body = { kind: "stream" as const, length: 0, source };
    assert.equal(await send(poolTo(1), { ...MESSAGE, body }), "unreachable");
    assert.equal(reads, 0);
    const { port } = await pod((socket) => socket.write(OK));
    assert.equal(await send(poolTo(port), { ...MESSAGE, body }), "200");
    assert.equal(reads, 1);
  });

  it("know one that ended while it had nothing to do from one that ended with its first request", async () => {
    const dies = await pod((socket) => socket.destroy());
    assert.equal(await send(poolTo(dies.port)), "broken");
    const diesLater = await pod((socket, _, count) => (count === 1 ? socket.write(OK) : socket.destroy()));
    const pool = poolTo(diesLater.port);
    assert.equal(await send(pool), "200");
    assert.equal(await send(pool), "stale");
  });

  it("tell that an answer had begun, also where the connection had been idle before", async () => {
    const { port } = await pod((socket, _, count) => {
      if (count === 1) socket.write(OK);
      else socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab");
    });
    const pool = poolTo(port);
    await send(pool);
    assert.equal(await send(pool), "broken");
  });

  it("know an answer that is none from a connection that had ended", async () => {
    const { port } = await pod((socket, _, count) => (count === 1 ? socket.write(OK) : socket.end("HTTP/1.1 2")));
    const pool = poolTo(port);
    await send(pool);
    assert.equal(await send(pool), "broken");
  });

  it("take a pod at its word that it was tired of waiting, on a connection that had been idle", async () => {
    const tired = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    const { port } = await pod((socket, _, count) => (count === 1 ? socket.write(OK) : socket.end(tired)));
    const pool = poolTo(port);
    assert.equal(await send(pool), "200");
    assert.equal(await send(pool), "unseen");
    // as the answer to the first request, it is one
    const always = await pod((socket) => socket.end(tired));
    assert.equal(await send(poolTo(always.port)), "408");
  });

  it("do not use one that the pod has ended", async () => {
    let closed = 0;
    const { port } = await pod((socket) => {
      socket.write(OK);
      socket.once("close", () => closed++);
      setImmediate(() => socket.end());
    });
    const pool = poolTo(port);
    await send(pool);
    await until("the end of the connection", () => closed === 1);
    assert.equal(pool.size(), 0);
    assert.equal(await send(pool), "200");
  });

  it("do not use one that has been idle for so long that a pod may close it, though nobody has swept", async () => {
    let time = 0;
    const { port } = await pod((socket, _, count) => (count === 1 ? socket.write(OK) : socket.destroy()));
    const pool = poolTo(port, () => time);
    assert.equal(await send(pool), "200");
    time = 4000;
    assert.equal(await send(pool), "200");
    assert.equal(pool.size(), 1);
  });

  it("know one that had ended before the request was written, though its end comes with the request", async () => {
    const ended = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(ENDS_WHEN_TOLD, { eval: true, workerData: { ended, answer: OK } });
    ends.push(() => void worker.terminate());
    const [port] = await once(worker, "message");
    let time = 0;
    const pool = poolTo(port, () => time);
    assert.equal(await send(pool), "200");
    time = 1000;
    worker.postMessage("end");
    // nobody looks at what the kernel has to tell meanwhile
    assert.notEqual(Atomics.wait(ended, 0, 0, PATIENCE_MS), "timed-out");
    assert.equal(await send(pool), "unseen");
    assert.equal(await send(pool), "200");
  });
});
