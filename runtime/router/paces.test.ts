/** Answers of all sizes for clients that read at any pace, over few connections to a pod: each has its own, to the last byte. */
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { after, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { randomFrom } from "../../test/world/random.ts";
import { startRouter } from "../../test/world/router.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

const CLIENTS = 12;
const EACH = 5;
const SIZES = [1, 500, 40_000, 65_536, 200_000, 1_500_000];
const random = randomFrom(7);
const oneOf = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] ?? assert.fail();

/** What the answer to this number is. */
const answerTo = (number: number, bytes: number): Buffer => Buffer.alloc(bytes, `${number}.`);

/** Takes what comes, and rests now and then; checks that it is what it should be. */
const take = async (from: AsyncIterable<Buffer>, expected: Buffer, restMs: number): Promise<void> => {
  const pieces: Buffer[] = [];
  for await (const piece of from) {
    pieces.push(piece);
    if (restMs > 0 && random() < 0.2) await sleep(restMs);
  }
  assert.ok(Buffer.concat(pieces).equals(expected), `an answer of ${expected.length} bytes is another one`);
};

const overHttp1 = async (port: number, path: string, expected: Buffer, restMs: number): Promise<void> => {
  const answer = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
    request({ port, host: "127.0.0.1", path, method: "POST", agent: false }, resolve).on("error", reject).end("x");
  });
  await take(answer, expected, restMs);
};
const overHttp2 = (session: ClientHttp2Session, path: string, expected: Buffer, restMs: number): Promise<void> =>
  take(session.request({ ":method": "POST", ":path": path }).end("x"), expected, restMs);

it("each client has its own answer, whatever the others do", async () => {
  const pod = createServer((asked, response) => {
    const [number = 0, bytes = 0, isChunked] = (asked.url ?? "").slice(1).split("/").map(Number);
    asked.resume().once("end", () => {
      if (isChunked === 0) response.setHeader("content-length", bytes);
      response.end(answerTo(number, bytes));
    });
  });
  await new Promise<void>((resolve) => pod.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    pod.close();
    pod.closeAllConnections();
  });
  const address = pod.address();
  const http = typeof address === "object" && address !== null ? address.port : 0;
  const { close, port } = await startRouter([{ http, grpc: 1 }], { cap: 4 });
  ends.push(close);
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const session = connect(`http://127.0.0.1:${port}`);
      ends.push(() => session.destroy());
      for (let i = 0; i < EACH; i++) {
        const [number, bytes] = [client * EACH + i, oneOf(SIZES)];
        const path = `/${number}/${bytes}/${oneOf([0, 1])}`;
        const restMs = oneOf([0, 0, 1, 20]);
        if (random() < 0.7) await overHttp1(port, path, answerTo(number, bytes), restMs);
        else await overHttp2(session, path, answerTo(number, bytes), restMs);
      }
    }),
  );
});
