import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFrameReader, type FrameHead } from "./frames.ts";
import { createOutbox, type Outgoing } from "./outbox.ts";
import { DATA, DEFAULT_WINDOW, END_STREAM, HEADERS } from "./protocol.ts";

/** What was sent, as a client sees it. */
const listen = () => {
  const got = new Map<number, { data: Buffer[]; ended: boolean }>();
  const longest = { frame: 0 };
  let head: FrameHead = { length: 0, type: 0, flags: 0, stream: 0 };
  const of = (id: number) => {
    const stream = got.get(id) ?? { data: [], ended: false };
    got.set(id, stream);
    return stream;
  };
  const read = createFrameReader({
    head: (next) => {
      head = next;
      longest.frame = Math.max(longest.frame, head.length);
      return true;
    },
    payload: (bytes) => {
      const stream = of(head.stream);
      assert.equal(stream.ended, false, "nothing follows the end");
      if (head.type === DATA) stream.data.push(Buffer.from(bytes));
      else {
        assert.equal(head.type, HEADERS);
        stream.ended = (head.flags & END_STREAM) !== 0;
      }
      return true;
    },
  });
  const bytesOf = (id: number): Buffer => Buffer.concat(of(id).data);
  const total = (): number => [...got.values()].reduce((sum, { data }) => sum + Buffer.concat(data).length, 0);
  return { read, of, bytesOf, total, longest };
};

const start = (writerRoom = () => 1_000_000_000) => {
  const client = listen();
  const outbox = createOutbox({
    ...{ push: client.read, room: writerRoom, unsent: () => 0, flush: () => undefined, close: () => undefined },
  });
  const stream = (id: number, window: number): Outgoing & { done: boolean } => {
    const out = {
      ...{ id, window, queue: [], queued: 0, joined: undefined, filled: 0, trailers: undefined, done: false },
      ended: () => {
        out.done = true;
      },
      drained: () => undefined,
    };
    return out;
  };
  return { client, outbox, stream };
};

const pattern = (length: number, from: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (from + i) % 251));

test("what is sent never exceeds either window, comes in order, and trailers come last", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("data" as const), id: fc.integer({ min: 0, max: 2 }), size: fc.nat(40_000) }),
    fc.record({ kind: fc.constant("widen" as const), id: fc.integer({ min: -1, max: 2 }), size: fc.nat(40_000) }),
    fc.record({ kind: fc.constant("end" as const), id: fc.integer({ min: 0, max: 2 }), size: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { client, outbox, stream } = start();
      const streams = [0, 1, 2].map((id) => stream(2 * id + 1, 1000));
      const windows = [1000, 1000, 1000];
      const written = [0, 0, 0];
      const ended = [false, false, false];
      let window = DEFAULT_WINDOW;
      for (const { kind, id, size } of steps) {
        const out = streams[id];
        if (out === undefined) {
          window += size;
          outbox.widen(undefined, size);
          outbox.resume();
        } else if (kind === "widen") {
          windows[id] = (windows[id] ?? 0) + size;
          outbox.widen(out, size);
        } else if (ended[id] !== true && kind === "data") {
          outbox.data(out, [pattern(size, written[id] ?? 0)]);
          written[id] = (written[id] ?? 0) + size;
        } else if (ended[id] !== true && kind === "end") {
          ended[id] = true;
          outbox.trailers(out, () => Buffer.from("t"));
        }
        assert.ok(client.total() <= window);
        for (const [i, one] of streams.entries()) assert.ok(client.bytesOf(one.id).length <= (windows[i] ?? 0));
      }
      for (const out of streams) outbox.widen(out, 10_000_000);
      outbox.widen(undefined, 10_000_000);
      outbox.resume();
      for (const [i, out] of streams.entries()) {
        assert.deepEqual(client.bytesOf(out.id), pattern(written[i] ?? 0, 0));
        assert.equal(client.of(out.id).ended, ended[i]);
        assert.equal(out.done, ended[i]);
      }
      assert.ok(client.longest.frame <= 16_384);
    }),
    { seed: 9113, numRuns: 300 },
  );
});

test("a stream whose client takes nothing holds no other up", () => {
  const { client, outbox, stream } = start();
  const stuck = stream(1, 0);
  outbox.data(stuck, [Buffer.alloc(100)]);
  const other = stream(3, 1000);
  outbox.data(other, [Buffer.alloc(100)]);
  assert.deepEqual([client.bytesOf(1).length, client.bytesOf(3).length, stuck.queued], [0, 100, 100]);
});

test("a connection that is congested is sent no more until it is resumed", () => {
  let room = 0;
  const { client, outbox, stream } = start(() => room);
  const out = stream(1, 1000);
  outbox.data(out, [Buffer.alloc(100)]);
  assert.equal(client.total(), 0);
  room = 1;
  outbox.resume();
  assert.equal(client.total(), 100);
});

test("the room is what both windows and the writer have", () => {
  let room = 1_000_000;
  const { outbox, stream } = start(() => room);
  const [wide, narrow] = [stream(1, 100_000), stream(3, 10)];
  assert.deepEqual([outbox.room(wide), outbox.room(narrow)], [DEFAULT_WINDOW, 10]);
  outbox.data(wide, [Buffer.alloc(DEFAULT_WINDOW)]);
  assert.deepEqual([outbox.room(wide), outbox.room(narrow)], [0, 0]);
  outbox.widen(undefined, 100);
  assert.deepEqual([outbox.room(wide), outbox.room(narrow)], [100, 10]);
  outbox.widen(narrow, -20);
  assert.equal(outbox.room(narrow), 0);
  room = 7;
  assert.equal(outbox.room(wide), 7);
  room = -1;
  assert.equal(outbox.room(wide), 0);
});

test("what is written at once is told to have gone when all of it has", () => {
  const { outbox, stream } = start();
  const out = stream(1, 5);
  let drained = 0;
  out.drained = () => drained++;
  outbox.data(out, [Buffer.alloc(5), Buffer.alloc(5)]);
  assert.equal(drained, 0);
  outbox.widen(out, 5);
  assert.equal(drained, 1);
});

test("a window that would be too large is told", () => {
  const { outbox, stream } = start();
  assert.equal(outbox.widen(stream(1, 1), 2 ** 31 - 2), true);
  assert.equal(outbox.widen(stream(3, 2), 2 ** 31 - 2), false);
  assert.equal(outbox.widen(undefined, 2 ** 31 - 1), false);
});

test("streams that wait for the connection have their turn, however much the first has to send", () => {
  const { client, outbox, stream } = start();
  const first = stream(1, 10_000_000);
  outbox.data(first, [Buffer.alloc(1_000_000)]);
  const others = [3, 5].map((id) => stream(id, 10_000_000));
  for (const other of others) outbox.data(other, [Buffer.alloc(100)]);
  for (let turn = 0; turn < 3; turn++) {
    outbox.widen(undefined, 1000);
    outbox.resume();
  }
  assert.deepEqual([client.bytesOf(3).length, client.bytesOf(5).length], [100, 100]);
  assert.equal(client.total(), DEFAULT_WINDOW + 3000);
});

test("a window that the client has made smaller than what was sent must be made up for first", () => {
  const { client, outbox, stream } = start();
  const out = stream(1, 100);
  outbox.data(out, [Buffer.alloc(150)]);
  outbox.widen(out, -60);
  outbox.widen(out, 60);
  assert.equal(client.bytesOf(1).length, 100);
  outbox.widen(out, 10);
  assert.equal(client.bytesOf(1).length, 110);
});

test("longer frames are used where the client takes them, but none that keep others waiting", () => {
  const { client, outbox, stream } = start();
  outbox.widen(undefined, 1_000_000);
  outbox.setFrameBytes(2 ** 24 - 1);
  outbox.data(stream(1, 1_000_000), [Buffer.alloc(500_000)]);
  assert.equal(client.longest.frame, 65_536);
});

test("nothing is sent of a stream that is forgotten, even while others are resumed", () => {
  let room = 0;
  const { client, outbox, stream } = start(() => room);
  const [one, two] = [stream(1, 1000), stream(3, 1000)];
  one.drained = () => outbox.forget(two);
  outbox.data(one, [Buffer.alloc(10)]);
  outbox.data(two, [Buffer.alloc(10)]);
  outbox.trailers(two, () => Buffer.from("t"));
  room = 1;
  outbox.resume();
  assert.deepEqual([client.bytesOf(3).length, client.of(3).ended, two.done], [0, false, false]);
});

test("small pieces that wait are joined, and sent as they came", () => {
  const { client, outbox, stream } = start();
  const slow = stream(1, 0);
  const sent = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i & 255));
  for (const byte of sent) outbox.data(slow, [Buffer.from([byte])]);
  assert.ok(slow.queue.length < 12, `${slow.queue.length} pieces`);
  assert.equal(outbox.queued(), sent.length);
  for (let i = 0; i < 50; i++) outbox.widen(slow, 1000);
  assert.ok(client.bytesOf(1).equals(sent));
  assert.equal(outbox.queued(), 0);
});
