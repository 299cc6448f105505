import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createHeaderEncoder } from "./header-encoder.ts";
import type { Header } from "./header-table.ts";
import { createHpackDecoder } from "./hpack.ts";

const header: fc.Arbitrary<Header> = fc.oneof(
  fc.constantFrom<Header>([":status", "200"], ["content-type", "application/grpc"], ["grpc-status", "0"]),
  fc.tuple(fc.stringMatching(/^[a-z-]{1,20}$/), fc.stringMatching(/^[ -~]{0,300}$/)),
);

test("what is encoded is decoded the same, block after block, also for clients that keep no table", () => {
  fc.assert(
    fc.property(fc.array(fc.array(header, { maxLength: 6 }), { maxLength: 8 }), fc.nat(8), (blocks, resizeAt) => {
      const encoder = createHeaderEncoder();
      const { decode } = createHpackDecoder({ tableBytes: 4096, listBytes: 100_000 });
      for (const [i, headers] of blocks.entries()) {
        if (i === resizeAt) encoder.resize(0);
        assert.deepEqual(decode(encoder.encode(headers)), { headers, tooLarge: false });
      }
    }),
    { seed: 7541, numRuns: 500 },
  );
});

test("what each answer repeats takes a byte after the first time", () => {
  const encoder = createHeaderEncoder();
  const headers: Header[] = [
    [":status", "200"],
    ["content-type", "application/grpc"],
  ];
  assert.ok(encoder.encode(headers).length > 20);
  assert.equal(encoder.encode(headers).length, 2);
});

test("values of any length and of all of latin1 are decoded the same, whatever sizes the table is given", () => {
  const value = fc.oneof(
    fc.constantFrom(0, 126, 127, 128, 254, 255, 256, 16_510, 16_511, 16_512).map((length) => "v".repeat(length)),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  );
  const other = fc.tuple(fc.constantFrom("a", "grpc-message", "grpc-status", ":status"), value);
  const block = fc.array(fc.oneof(header, other), { maxLength: 5 });
  const resize = fc.constantFrom(0, 1, 100, 4095, 4096, 65_536);
  fc.assert(
    fc.property(fc.array(fc.oneof(block, resize), { maxLength: 10 }), (steps) => {
      const encoder = createHeaderEncoder();
      const { decode } = createHpackDecoder({ tableBytes: 4096, listBytes: 1_000_000 });
      for (const step of steps) {
        if (typeof step === "number") encoder.resize(step);
        else assert.deepEqual(decode(encoder.encode(step)), { headers: step, tooLarge: false });
      }
    }),
    { seed: 7541, numRuns: 500 },
  );
});

test("a table made smaller is told of once, before the next headers, and is used no more", () => {
  const encoder = createHeaderEncoder();
  const ok: Header[] = [["grpc-status", "0"]];
  encoder.encode(ok);
  encoder.resize(0);
  encoder.resize(4096);
  const [first, second] = [encoder.encode(ok), encoder.encode(ok)];
  assert.equal(first[0], 32);
  assert.deepEqual(first.subarray(1), second);
  // 0: a literal that no table takes (RFC 7541, 6.2.2)
  assert.equal(second[0], 0);
});
