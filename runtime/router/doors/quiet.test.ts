/** What tells a unary call from a stream: whether its end comes with its message. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, beforeEach, it } from "node:test";
import { handTimers } from "../../../test/world/hand-timers.ts";
import { PATIENCE_MS, until } from "../../../test/world/patience.ts";
import { callFields, FRAME, rawHttp2 } from "../../../test/world/raw-http2.ts";
import { TIMES } from "../../transport/http/times.ts";
import { createPace } from "../../transport/pace.ts";
import { createKeptBytes } from "../kept-bytes.ts";
import type { Body } from "../message.ts";
import { serveClientHttp2 } from "./http2.ts";
import { QUIET_MS } from "./http2-stream.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

let timers = handTimers();
let bodies: Body["kind"][] = [];
beforeEach(() => {
  timers = handTimers();
  bodies = [];
});

/** A client of a door whose time is in `timers`, and which answers nothing. */
const dial = async () => {
  const server = createServer((socket) => {
    ends.push(() => socket.destroy());
    const pace = createPace();
    serveClientHttp2(socket, pace(socket), {
      serve: ({ body }) => {
        bodies.push(body.kind);
        return { gone: () => undefined, drained: () => undefined, isHeld: () => false };
      },
      ...{ kept: createKeptBytes(2 ** 20), times: TIMES, pace, now: () => 0, after: timers.after },
      ...{ isTrusted: () => false, closing: () => false },
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const client = await rawHttp2(address.port);
  ends.push(() => client.socket.destroy());
  return client;
};

const MESSAGE = Buffer.from([0, 0, 0, 0, 1, 7]);
const END_STREAM = 1;

/** Opens a call; resolves when its header is read, after which its time runs. */
const open = async (client: Awaited<ReturnType<typeof dial>>): Promise<number> => {
  const before = timers.begun(QUIET_MS);
  const stream = client.open(callFields("/a/b"), false);
  await until("its header to be read", () => timers.begun(QUIET_MS) > before);
  // timers run before the sockets are read: so it is in a turn whose sockets are yet to be read that this one runs out
  await new Promise(setImmediate);
  return stream;
};

/** Waits, with the event loop standing still, until the kernel holds something for whoever listens on `port`: on a busy machine it takes its time. */
const standStillUntilReceived = (port: number): void => {
  const end = performance.now() + PATIENCE_MS;
  // local address, remote address, state, bytes to send and to read; in hexadecimal (proc_net_tcp(5))
  const waiting = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} \\S+ 01 \\S+:(?!00000000)`);
  while (!waiting.test(readFileSync("/proc/net/tcp", "latin1")))
    assert.ok(performance.now() < end, `nothing was received on port ${port} within ${PATIENCE_MS} ms`);
};

it("a call whose end waits in the socket is whole, however long the event loop stood still", async () => {
  const client = await dial();
  for (let i = 0; i < 5; i++) {
    const stream = await open(client);
    client.send({ type: FRAME.data, flags: END_STREAM, stream, payload: MESSAGE });
    standStillUntilReceived(client.socket.remotePort ?? 0);
    timers.ring(QUIET_MS);
    await until("the call", () => bodies.length === i + 1);
  }
  assert.deepEqual(bodies, ["whole", "whole", "whole", "whole", "whole"]);
});

it("a call that has sent a message, and then neither its end nor more of it, is a stream", async () => {
  const client = await dial();
  const stream = await open(client);
  const before = timers.begun(QUIET_MS);
  client.send({ type: FRAME.data, stream, payload: MESSAGE });
  await until("its message to be read", () => timers.begun(QUIET_MS) > before);
  assert.deepEqual(bodies, []);
  timers.ring(QUIET_MS);
  await until("the call", () => bodies.length === 1);
  assert.deepEqual(bodies, ["stream"]);
});
