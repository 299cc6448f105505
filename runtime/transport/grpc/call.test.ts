import assert from "node:assert/strict";
import { test } from "node:test";
import { createShares } from "../../memory/shares.ts";
import type { Header, Stream } from "../http2/index.ts";
import { beginCall } from "./call.ts";
import { callsOf } from "./count.ts";
import type { Received } from "./message-reader.ts";
import { STATUS } from "./status.ts";

/** A call on a stream of which nothing goes until `unsent` says so; `now` in ms. */
const start = (mostBytes = 1_000_000) => {
  const state = { now: 0, unsent: 0, reset: 0, trailers: new Map<string, string>(), got: [] as Received[] };
  const note = (headers: readonly Header[]): void => {
    for (const [name, value] of headers) state.trailers.set(name, value);
  };
  const stream: Stream = {
    headers: note,
    write: (...pieces) => {
      for (const piece of pieces) state.unsent += piece.length;
    },
    queued: () => state.unsent,
    flush: () => state.unsent === 0,
    room: () => 0,
    end: note,
    reset: () => state.reset++,
    pause: () => undefined,
    resume: () => undefined,
  };
  const shares = createShares(mostBytes, () => state.now);
  const call = beginCall(
    stream,
    callsOf("/a/B"),
    { share: shares(), deadline: Number.POSITIVE_INFINITY, encoding: undefined },
    { maxMessageBytes: 500_000, now: () => state.now, report: (error) => assert.fail(String(error)) },
    (message) => state.got.push(message),
    () => undefined,
  );
  return { state, call, shares };
};
const framed = (size: number): Buffer => {
  const message = Buffer.alloc(5 + size);
  message.writeUInt32BE(size, 1);
  return message;
};
const late = String(STATUS.DEADLINE_EXCEEDED);

test("a message that does not become whole ends its call after a minute", () => {
  const { state, call } = start();
  call.feed(framed(1000).subarray(0, 100));
  state.now = 59_000;
  call.sweep(state.now, true);
  assert.equal(call.isOver(), false);
  state.now = 61_000;
  call.sweep(state.now, true);
  assert.equal(state.trailers.get("grpc-status"), late);
});

test("messages that go on coming end no call, though none of the pieces ends with a message", () => {
  const { state, call } = start();
  const bytes = Buffer.concat([framed(1000), framed(1000)]).subarray(500, 1505);
  call.feed(framed(1000).subarray(0, 500));
  for (let second = 1; second < 300; second++) {
    state.now = second * 1000;
    call.feed(bytes);
    call.sweep(state.now, true);
  }
  assert.equal(call.isOver(), false);
  assert.equal(state.got.length, 299);
});

test("a client whose handler is not ready for more has all the time", () => {
  const { state, call } = start();
  call.feed(framed(1000).subarray(0, 100));
  for (let second = 1; second < 300; second++) {
    state.now = second * 1000;
    call.sweep(state.now, false);
  }
  assert.equal(call.isOver(), false);
  state.now += 61_000;
  call.sweep(state.now, true);
  assert.equal(state.trailers.get("grpc-status"), late);
});

test("an answer that its client does not take ends the stream, whatever comes meanwhile", () => {
  const { state, call } = start();
  call.send(Buffer.alloc(1000));
  for (let second = 1; second < 60; second++) {
    state.now = second * 1000;
    call.feed(framed(10));
    call.sweep(state.now, true);
  }
  assert.equal(state.reset, 0);
  state.now = 61_000;
  call.sweep(state.now, true);
  assert.equal(state.reset, 1);
});

test("a message that is not whole stays counted when one before it is released", () => {
  const { state, call, shares } = start();
  const first = framed(100);
  call.feed(first.subarray(0, 50));
  call.feed(Buffer.concat([first.subarray(50), framed(400_000).subarray(0, 300_000)]));
  assert.equal(state.got.length, 1);
  call.release();
  const other = shares().lease(() => false);
  other.take(1_000_000 - 400_000);
  assert.throws(() => other.take(200_000), /too many large messages/);
});
