/** Where an answer is read to: to the same place, as long as nobody needs what is there. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { after, it } from "node:test";
import fc from "fast-check";
import type { Events, Message } from "../message.ts";
import { type Connection, openConnection } from "./http1-connection.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

/** A pod that says these, one after another, each in a piece of its own as far as the kernel keeps them apart. */
const podOf = async (said: readonly Buffer[]): Promise<number> => {
  const server = createServer({ noDelay: true }, (socket: Socket) => {
    ends.push(() => socket.destroy());
    socket
      .on("error", () => undefined)
      .once("data", async () => {
        for (const piece of said) {
          await new Promise((written) => socket.write(piece, written));
          await new Promise(setImmediate);
        }
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const REQUEST: Message = {
  ...{ protocol: "http", method: "GET", target: "/", fields: [] },
  body: { kind: "whole", pieces: [], bytes: 0 },
};

/** What came of the body; of what is "held" the very pieces, looked at when all is there. */
const read = async (said: readonly Buffer[], isHeld: () => boolean) => {
  const port = await podOf(said);
  const host = { now: () => 0, idle: (connection: Connection) => connection.destroy(), closed: () => undefined };
  const pieces: Buffer[] = [];
  const places = new Set<ArrayBufferLike>();
  let ofNow: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    let isWhole = false;
    const events: Events = {
      reached: () => undefined,
      head: () => undefined,
      data: (piece) => {
        places.add(piece.buffer);
        ofNow.push(piece);
      },
      flush: () => {
        const held = isHeld();
        pieces.push(...(held ? ofNow : ofNow.map((piece) => Buffer.from(piece))));
        ofNow = [];
        if (isWhole) resolve();
        return held ? "held" : "taken";
      },
      end: () => {
        isWhole = true;
      },
      failed: (kind, reason) => reject(new Error(`${kind}: ${reason}`)),
    };
    openConnection({ host: "127.0.0.1", port }, host).send(REQUEST, events);
  });
  return { body: Buffer.concat(pieces), places: places.size };
};

it("an answer whose pieces are taken is read to one place, however large it is", async () => {
  const body = Buffer.alloc(4 * 1024 ** 2, "0123456789abcdef-");
  const said = [Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`), body];
  const taken = await read(said, () => false);
  assert.equal(taken.places, 1);
  assert.ok(taken.body.equals(body));
});

it("what is held stays what it was, whatever comes after it and in whichever pieces", async () => {
  const body = fc.uint8Array({ minLength: 1, maxLength: 200_000 }).map((bytes) => Buffer.from(bytes));
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      body,
      cuts,
      fc.boolean(),
      fc.infiniteStream(fc.boolean()),
      async (bytes, cuts, isChunked, holds) => {
        const chunk = (part: Buffer): Buffer[] =>
          part.length === 0 ? [] : [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")];
        const framed = isChunked
          ? Buffer.concat([...[bytes.subarray(0, 7), bytes.subarray(7)].flatMap(chunk), Buffer.from("0\r\n\r\n")])
          : bytes;
        const framing = isChunked ? "transfer-encoding: chunked" : `content-length: ${bytes.length}`;
        const all = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`), framed]);
        const at = [
          0,
          ...cuts.map((cut) => Math.floor(cut * all.length)).toSorted((one, other) => one - other),
          all.length,
        ];
        const said = at
          .slice(1)
          .map((end, i) => all.subarray(at[i], end))
          .filter(({ length }) => length > 0);
        const got = await read(said, () => holds.next().value === true);
        assert.ok(got.body.equals(bytes));
      },
    ),
    { numRuns: 100 },
  );
});

it("what waits for one client stays, though the next answers are for others, who take theirs", async () => {
  const answer = (letter: string): Buffer =>
    Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n${letter.repeat(70_000)}`);
  const letters = ["a", "b", "c", "d"];
  let asked = 0;
  const server = createServer((socket) => {
    ends.push(() => socket.destroy());
    socket.on("error", () => undefined).on("data", () => socket.write(answer(letters[asked++] ?? "")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const host = { now: () => 0, idle: () => undefined, closed: () => undefined };
  const connection = openConnection({ host: "127.0.0.1", port: address.port }, host);
  ends.push(connection.destroy);
  const waiting: Buffer[] = [];
  let reads = 0;
  await new Promise<void>((resolve, reject) => {
    const ask = (turn: number): void => {
      if (turn === letters.length) {
        resolve();
        return;
      }
      const isFirst = turn === 0;
      connection.send(REQUEST, {
        reached: () => undefined,
        head: () => undefined,
        data: (piece) => void (isFirst && waiting.push(piece)),
        flush: () => (isFirst || reads++ % 2 === 1 ? "held" : "taken"),
        // who waited for a place is sent at once
        end: () => ask(turn + 1),
        failed: (kind, reason) => reject(new Error(`${kind}: ${reason}`)),
      });
    };
    ask(0);
  });
  assert.equal(Buffer.concat(waiting).toString(), "a".repeat(70_000));
});
