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
