import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFrameReader, HEAD_BYTES, writeHead } from "./frames.ts";

type Frame = { type: number; flags: number; stream: number; payload: Uint8Array };

const written = ({ type, flags, stream, payload }: Frame): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES);
  writeHead(head, 0, payload.length, type, flags, stream);
  return Buffer.concat([head, payload]);
};

/** The frames of `chunks`; the reader stops at the one of type `stop`. */
const read = (chunks: readonly Buffer[], stop = -1): Frame[] => {
  const frames: Frame[] = [];
  let now: Omit<Frame, "payload"> = { type: 0, flags: 0, stream: 0 };
  let parts: Buffer[] = [];
  const take = createFrameReader({
    head: ({ type, flags, stream }) => {
      now = { type, flags, stream };
      return type !== stop;
    },
    payload: (bytes, last) => {
      parts.push(bytes);
      if (last) frames.push({ ...now, payload: Uint8Array.from(Buffer.concat(parts.splice(0))) });
      return true;
    },
  });
  for (const chunk of chunks) take(chunk);
  parts = [];
  return frames;
};

const byte = fc.integer({ min: 0, max: 255 });
const frame = fc.record(
  {
    type: byte,
    flags: byte,
    stream: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    payload: fc.uint8Array({ maxLength: 40 }),
  },
  { noNullPrototype: true },
);

test("frames are the same wherever they were split", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }),
      (frames, sizes) => {
        const bytes = Buffer.concat(frames.map(written));
        const chunks: Buffer[] = [];
        let at = 0;
        for (const size of sizes) {
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        assert.deepEqual(read([...chunks, bytes.subarray(at)]), frames);
        assert.deepEqual(read([bytes]), frames);
      },
    ),
    { seed: 9113, numRuns: 500 },
  );
});

test("the reserved bit is ignored", () => {
  const bytes = written({ type: 6, flags: 0, stream: 1, payload: new Uint8Array(8) });
  bytes[5] = 128;
  assert.equal(read([bytes])[0]?.stream, 1);
});

test("nothing is read after a frame that was refused", () => {
  const one = { type: 1, flags: 0, stream: 1, payload: Uint8Array.of(1) };
  const frames = [one, { ...one, type: 2 }, one];
  assert.deepEqual(read([Buffer.concat(frames.map(written)), written(one)], 2), [one]);
});
