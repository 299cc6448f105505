import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createShares } from "../../memory/shares.ts";
import { createMessageReader } from "./message-reader.ts";
import { CallError } from "./status.ts";

const framed = (message: Uint8Array, flag = 0, length = message.length): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
};

const start = (maxBytes = 1000, mostBytes = 100_000) => {
  const got: { bytes: Buffer; compressed: boolean }[] = [];
  const lease = createShares(mostBytes, () => 0)().lease(() => false);
  const reader = createMessageReader(maxBytes, lease, ({ bytes, compressed }) => {
    got.push({ bytes: Buffer.from(bytes), compressed });
  });
  return { got, reader };
};

test("messages are the same wherever their bytes were split", () => {
  const message = fc.record({ bytes: fc.uint8Array({ maxLength: 60 }), compressed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.nat(30), { maxLength: 40 }), (messages, cuts) => {
      const { got, reader } = start();
      let rest = Buffer.concat(messages.map(({ bytes, compressed }) => framed(bytes, compressed ? 1 : 0)));
      for (const cut of cuts) {
        reader.feed(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      reader.feed(rest);
      assert.deepEqual(
        got,
        messages.map(({ bytes, compressed }) => ({ bytes: Buffer.from(bytes), compressed })),
      );
      assert.equal(reader.pending(), 0);
    }),
    { seed: 5, numRuns: 500 },
  );
});

test("a message that is too large, or begins with a byte that means nothing, is refused before it comes", () => {
  for (const [bytes, fault] of [
    [framed(Buffer.alloc(0), 0, 1001), /1001 bytes.*1000/],
    [framed(Buffer.alloc(0), 2), /first byte is 2/],
  ] as const) {
    assert.throws(
      () => start().reader.feed(bytes),
      (error) => error instanceof CallError && fault.test(error.message),
    );
  }
});

test("what is declared takes no memory, what comes does", () => {
  const { reader } = start(50_000_000, 40_000);
  reader.feed(framed(Buffer.alloc(10), 0, 50_000_000));
  reader.feed(Buffer.alloc(10_000));
  assert.equal(reader.pending(), 5 + 10_010);
  assert.equal(reader.held(), 16_384);
  assert.throws(() => reader.feed(Buffer.alloc(40_000)), /too many large messages/);
});

test("what is gathered is counted to the byte, and what comes whole is not", () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 1, max: 20_000 }));
  fc.assert(
    fc.property(sizes, ([size, step]) => {
      let taken = 0;
      let gathered: boolean | undefined;
      const take = (bytes: number): void => {
        taken += bytes;
      };
      const lease = { take, give: () => undefined, release: () => undefined, end: () => undefined };
      const reader = createMessageReader(100_000, lease, (message) => {
        gathered = message.gathered;
      });
      const bytes = framed(Buffer.alloc(size));
      for (let at = 0; at < bytes.length; at += step) {
        const end = Math.min(bytes.length, at + step);
        reader.feed(bytes.subarray(at, end));
        if (gathered === undefined) assert.ok(taken >= reader.pending() - 5);
        assert.ok(taken <= size);
      }
      assert.equal(taken, gathered === true ? size : 0);
      assert.notEqual(gathered, undefined);
    }),
    { seed: 5, numRuns: 300 },
  );
});

test("a message as large as is allowed comes", () => {
  const { got, reader } = start(1000);
  reader.feed(framed(Buffer.alloc(1000)));
  assert.equal(got[0]?.bytes.length, 1000);
});
