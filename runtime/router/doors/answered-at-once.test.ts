/** A request may be answered within the call that serves it: here by the router itself, which has no such revision. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { until } from "../../../test/world/patience.ts";
import { startRouter } from "../../../test/world/router.ts";
import { TIMES } from "../../transport/http/times.ts";
import { MOST_KEPT_OF_ONE } from "../kept-bytes.ts";

/** So large that it is served before it has come. */
const LARGE = MOST_KEPT_OF_ONE + 1;
const NOWHERE = { "x-berth-revision": "none" };

const start = async (t: TestContext) => {
  const clock = { now: 0 };
  const example = await startRouter([], { now: () => clock.now, times: { ...TIMES, sweepMs: 20 } });
  t.after(example.close);
  const dial = (): Socket => {
    const socket = connect({ port: example.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => undefined);
    t.after(() => socket.destroy());
    return socket;
  };
  const connections = (count: number): Promise<void> =>
    until(`${count} connections`, () => example.router.listener.connections() === count);
  return { port: example.port, clock, dial, connections };
};

const post = (body: string): string => `POST / HTTP/1.1\r\nhost: h\r\nx-berth-revision: none\r\n${body}\r\n\r\n`;

const answerOf = async (socket: Socket): Promise<string> => {
  const [piece]: Buffer[] = await once(socket, "data");
  return piece?.toString("latin1", 0, 12) ?? "";
};

test("HTTP/2: a large request that is refused at once, and the next one on its connection", async (t) => {
  const { port } = await start(t);
  const session = connectHttp2(`http://127.0.0.1:${port}`).on("error", () => undefined);
  t.after(() => session.destroy());
  const statusOf = async (bytes: number): Promise<unknown> => {
    const headers = { ":method": "POST", ":path": "/", ...NOWHERE, "content-length": String(bytes) };
    const stream = session.request(headers).on("error", () => undefined);
    stream.resume().end(Buffer.alloc(bytes));
    const [answer] = await once(stream, "response");
    return answer[":status"];
  };
  assert.equal(await statusOf(LARGE), 404);
  assert.equal(await statusOf(10), 404);
});

test("HTTP/1.1: a client that is refused at once can send its large request to the end", async (t) => {
  const { dial } = await start(t);
  const socket = dial();
  const bytes = 64 * 1024 ** 2; // more than the kernel holds for both ends
  socket.write(post(`content-length: ${bytes}`));
  assert.equal(await answerOf(socket), "HTTP/1.1 404");
  await new Promise<unknown>((resolve) => socket.write(Buffer.alloc(bytes), resolve));
  assert.equal(socket.destroyed, false);
});

test("HTTP/1.1: a connection whose request is refused by its last piece is closed, though its client keeps it open", async (t) => {
  const { clock, connections, dial } = await start(t);
  const socket = dial();
  socket.write(post("transfer-encoding: chunked"));
  socket.write(`${MOST_KEPT_OF_ONE.toString(16)}\r\n`);
  socket.write(Buffer.alloc(MOST_KEPT_OF_ONE));
  socket.write("\r\n1\r\nx\r\n0\r\n\r\n");
  assert.equal(await answerOf(socket), "HTTP/1.1 404");
  await connections(1);
  clock.now = TIMES.lingerMs + 1;
  await connections(0);
});
