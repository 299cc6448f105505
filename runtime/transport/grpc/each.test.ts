import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError } from "../../errors/request-error.ts";
import { createMemory } from "../../memory/shares.ts";
import type { Header, Stream } from "../http2/index.ts";
import { AS_BYTES } from "./as-bytes.ts";
import { callsOf } from "./count.ts";
import { serveEach } from "./each.ts";
import type { EachMethod, LongCalls, PendingAnswer, PendingTurn } from "./types.ts";

const LARGE = 40_000;

/** Answers a message with itself, and one that fails with "failed", the message's name and why. A message is its name and zeros. */
const echo: EachMethod<Buffer> = {
  answer: (message) => message,
  refusal: (message) => {
    const name = nameOf(message);
    return (error) => Buffer.from(`failed ${name}: ${error instanceof Error ? error.message : String(error)}`);
  },
};
const nameOf = (message: Buffer): string => message.toString("utf8").replaceAll("\0", "");

/** A call, and what waits of it: `waits` are those that take long, by their names. */
const start = (how: Partial<EachMethod<Buffer>> = {}, mostBytes = 1_000_000, maxMessageBytes = 100_000) => {
  const waits = new Map<string, { go(): void; answer(bytes: string): void; fail(error: Error): void; gone: boolean }>();
  const written: Buffer[] = [];
  const trailers = new Map<string, string>();
  const state = { unsent: 0, paused: false };
  const note = (headers: readonly Header[]): void => {
    for (const [name, value] of headers) trailers.set(name, value);
  };
  const stream: Stream = {
    headers: note,
    write: (...pieces) => written.push(...pieces),
    queued: () => state.unsent,
    flush: () => state.unsent === 0,
    room: () => (state.unsent === 0 ? Number.POSITIVE_INFINITY : 0),
    end: note,
    reset: () => undefined,
    pause: () => {
      state.paused = true;
    },
    resume: () => {
      state.paused = false;
    },
  };
  /** Messages that are named t… are answered in their turn, b… beside. */
  const ask = (message: Buffer): PendingAnswer | PendingTurn | undefined => {
    const name = nameOf(message);
    if (!/^[tb]/.test(name)) return undefined;
    const { promise: turn, resolve: go, reject } = Promise.withResolvers<void>();
    const { promise: answer, resolve, reject: refuse } = Promise.withResolvers<Buffer>();
    const one = {
      ...{ go, answer: (bytes: string) => resolve(Buffer.from(bytes)), gone: false },
      fail: name.startsWith("t") ? reject : refuse,
    };
    waits.set(name, one);
    const cancel = (): void => {
      one.gone = true;
    };
    return name.startsWith("t") ? { turn, cancel } : { answer, cancel };
  };
  const long: LongCalls = { ask: (_, message) => ask(message), resume: () => undefined };
  const memory = createMemory(mostBytes, () => 0);
  const method = { ...echo, ...how };
  const bound = { method, calls: callsOf("/a.B/C"), codec: () => AS_BYTES, loadCodec: async () => AS_BYTES };
  const handler = serveEach(
    stream,
    bound,
    { share: memory.nextShare(), deadline: Number.POSITIVE_INFINITY, encoding: undefined },
    { long, maxMessageBytes, now: () => 0, report: (error) => assert.fail(String(error)) },
  );
  return {
    ...{ handler, memory, state, trailers, waits },
    send(name: string, size = LARGE): void {
      const message = Buffer.alloc(5 + size);
      message.writeUInt32BE(size, 1);
      message.write(name, 5);
      handler.data(message);
    },
    /** The names in the answers so far. */
    async answers(): Promise<string[]> {
      await new Promise((resolve) => setImmediate(resolve));
      const bytes = Buffer.concat(written);
      const all: string[] = [];
      for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt32BE(at + 1))
        all.push(nameOf(bytes.subarray(at + 5, at + 5 + bytes.readUInt32BE(at + 1))));
      return all;
    },
  };
};

test("a message that is long to read waits for its turn, or is answered elsewhere; answers keep their order", async () => {
  const { answers, handler, memory, send, trailers, waits } = start();
  for (const name of ["t1", "b2", "x3"]) send(name);
  assert.deepEqual(await answers(), []);
  waits.get("b2")?.answer("elsewhere");
  assert.deepEqual(await answers(), []);
  waits.get("t1")?.go();
  assert.deepEqual(await answers(), ["t1", "elsewhere", "x3"]);
  handler.end();
  assert.equal(trailers.get("grpc-status"), "0");
  assert.equal(memory.usedBytes(), 0);
});

test("a short message does not wait, whatever is in it", async () => {
  const { answers, send, waits } = start();
  send("t1", 1024);
  assert.deepEqual(await answers(), ["t1"]);
  assert.equal(waits.size, 0);
});

test("what fails is told in its own message, and those behind it are answered", async () => {
  const { answers, memory, send, trailers, waits } = start();
  for (const name of ["t1", "b2", "x3"]) send(name);
  waits.get("t1")?.fail(new RequestError("Overloaded", "no room"));
  waits.get("b2")?.fail(new RequestError("TooLarge", "too much"));
  assert.deepEqual(await answers(), ["failed t1: no room", "failed b2: too much", "x3"]);
  assert.equal(trailers.get("grpc-status"), undefined);
  assert.equal(memory.usedBytes(), 0);
});

test("messages that wait are counted, and one that has no room is refused alone", async () => {
  const { answers, memory, send, waits } = start({}, 2.5 * LARGE);
  for (const name of ["b1", "b2", "b3"]) send(name);
  await answers();
  assert.deepEqual([...waits.keys()], ["b1", "b2"]);
  assert.equal(memory.usedBytes(), 2 * LARGE);
  waits.get("b1")?.answer("1");
  waits.get("b2")?.answer("2");
  assert.deepEqual((await answers()).slice(0, 2), ["1", "2"]);
  assert.match((await answers())[2] ?? "", /^failed b3: too many large messages/);
  assert.equal(memory.usedBytes(), 0);
});

test("an answer that waits for those before it is counted, too", async () => {
  const { answers, memory, send, waits } = start();
  for (const name of ["b1", "x2"]) send(name);
  await answers();
  assert.equal(memory.usedBytes(), 2 * LARGE);
  waits.get("b1")?.answer("1");
  await answers();
  assert.equal(memory.usedBytes(), 0);
});

test("a call that ends cancels what waits, and holds nothing any more", async () => {
  const { answers, handler, memory, send, waits } = start();
  for (const name of ["t1", "b2", "x3"]) send(name);
  await answers();
  handler.closed();
  assert.deepEqual([waits.get("t1")?.gone, waits.get("b2")?.gone], [true, true]);
  waits.get("b2")?.fail(new RequestError("Cancelled", "gone"));
  assert.deepEqual(await answers(), []);
  assert.equal(memory.usedBytes(), 0);
});

test("an answer that is larger than is allowed is refused in its message", async () => {
  const answer = (message: Buffer) => (nameOf(message) === "x1" ? Buffer.alloc(100_001) : message);
  const { answers, send } = start({ answer });
  for (const name of ["x1", "x2"]) send(name);
  assert.deepEqual(await answers(), ["failed x1: the answer has 100001 bytes, and at most 100000 are allowed", "x2"]);
});

test("of one call eight messages are worked on at a time, and none is lost", async () => {
  const { answers, handler, send, state, waits } = start();
  const names = Array.from({ length: 20 }, (_, i) => `b${i}`);
  for (const name of names) send(name, 2000);
  handler.end();
  await answers();
  assert.deepEqual([waits.size, state.paused], [8, true]);
  for (const name of names) {
    waits.get(name)?.answer(name);
    await answers();
  }
  assert.deepEqual(await answers(), names);
  assert.equal(state.paused, false);
});
