/** What tells a unary call from a stream: whether its end comes with its message. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, it } from "node:test";
import { until } from "../../../test/world/patience.ts";
import { callFields, FRAME, rawHttp2 } from "../../../test/world/raw-http2.ts";
import { TIMES } from "../../transport/http/times.ts";
import { createPace } from "../../transport/pace.ts";
import { createKeptBytes } from "../kept-bytes.ts";
import type { Body } from "../message.ts";
import { serveClientHttp2 } from "./http2.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

it("a call whose end waits in the socket is whole, however long the event loop stood still", async () => {
  const bodies: Body["kind"][] = [];
  const server = createServer((socket) => {
    ends.push(() => socket.destroy());
    const pace = createPace();
    serveClientHttp2(socket, pace(socket), {
      serve: ({ body }) => {
        bodies.push(body.kind);
        return { gone: () => undefined, drained: () => undefined, isHeld: () => false };
      },
      ...{ kept: createKeptBytes(2 ** 20), times: TIMES, pace, now: () => performance.now(), closing: () => false },
      isTrusted: () => false,
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const client = await rawHttp2(address.port);
  ends.push(() => client.socket.destroy());
  for (let i = 0; i < 5; i++) {
    const stream = client.open(callFields("/a/b"), false);
    // its header is read
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    client.send({ type: FRAME.data, flags: 1, stream, payload: Buffer.from([0, 0, 0, 0, 1, 7]) });
    const until60 = performance.now() + 60;
    while (performance.now() < until60);
    await until("the call", () => bodies.length === i + 1);
  }
  assert.deepEqual(bodies, ["whole", "whole", "whole", "whole", "whole"]);
});
