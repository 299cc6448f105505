/** How long requests and streams may take, and how many streams there may be. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Asked,
  always,
  answers,
  assertIdle,
  chat,
  type Deed,
  evidenceOf,
  IDLE_MS,
  ONLY,
  podsOf,
  TIMEOUT_MS,
  world,
} from "../../test/world/pods-by-hand.ts";

describe("times", () => {
  it("the request's timeout is that to the first byte: a stream may pause for longer, and has a limit of its own", () => {
    for (const protocol of ["http", "grpc"] as const) {
      const pauses: Deed = { kind: "answers", status: 200, ms: 5, pieces: 3, everyMs: TIMEOUT_MS * 4, last: "end" };
      const one = world({ a1: always(pauses) }, { table: ONLY });
      const asked = one.ask({ protocol });
      one.clock.pass(TIMEOUT_MS * 13);
      assert.deepEqual([asked.status, asked.ends], [200, ["end"]]);
      assert.equal(one.fleet.arm("a").counters.outcomes.ok, 1);
    }
  });

  it("a stream that is silent for too long is ended, and that is not the pod's fault", () => {
    for (const [protocol, end] of [
      ["http", "abort"],
      ["grpc", "end"],
    ] as const) {
      const hangs: Deed = { kind: "answers", status: 200, ms: 5, pieces: 1, everyMs: 0, last: "hangs" };
      const one = world({ a1: always(hangs) }, { table: ONLY });
      const asked = one.ask({ protocol });
      one.clock.pass(IDLE_MS - 10);
      assert.deepEqual(asked.ends, []);
      one.clock.pass(20);
      assert.deepEqual(asked.ends, [end]);
      assert.equal(one.fleet.arm("a").counters.outcomes.idle, 1);
      assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 0, errors: 0 });
      assertIdle(one);
    }
  });

  it("the pod is to blame where it had said how much is to come, and the client where it does not read", () => {
    for (const [reads, outcome] of [
      [true, "broken"],
      [false, "gone"],
    ] as const) {
      const hangs: Deed = {
        kind: "answers",
        status: 200,
        ms: 5,
        pieces: 1,
        everyMs: 0,
        last: "hangs",
        isMeasured: true,
      };
      const one = world({ a1: always(hangs) }, { table: ONLY });
      one.ask({ reads });
      one.clock.pass(IDLE_MS + 20);
      assert.equal(one.fleet.arm("a").counters.outcomes[outcome], 1);
      assertIdle(one);
    }
  });

  it("a client's words keep a stream alive as well, and its silence ends it without a fault of the pod", () => {
    const one = world({ a1: always({ kind: "hangs" }) }, { table: ONLY });
    let say = (): void => undefined;
    const source = {
      read: (onData: (piece: Buffer) => void) => {
        say = () => onData(Buffer.from("x"));
      },
      ...{ pause: () => undefined, resume: () => undefined, isWhole: () => false },
    };
    const asked = one.ask({
      protocol: "grpc",
      body: { kind: "stream", length: undefined, isConversation: true, source },
    });
    for (let i = 0; i < 5; i++) {
      one.clock.pass(IDLE_MS - 100);
      say();
    }
    assert.deepEqual(asked.ends, []);
    one.clock.pass(IDLE_MS + 1);
    assert.deepEqual([asked.status, asked.ends.length], [408, 1]);
    assert.equal(one.fleet.arm("a").counters.outcomes.gone, 1);
    assertIdle(one);
  });

  it("what a call has waited is taken off its deadline, which is kept here", () => {
    const one = world({ a1: always({ kind: "hangs" }) }, { table: ONLY });
    one.fleet.setPods("a", []);
    const asked = one.ask({ protocol: "grpc", fields: ["grpc-timeout", "2S"] });
    one.clock.pass(1500);
    one.fleet.setPods("a", [
      { ...{ name: "a1", host: "a1", httpPort: 1, grpcPort: 2, isReady: true, isTerminating: false } },
    ]);
    assert.deepEqual(one.tries[0]?.message.fields, ["grpc-timeout", "500m"]);
    one.clock.pass(499);
    assert.deepEqual(asked.ends, []);
    one.clock.pass(1);
    assert.equal(asked.status, 504);
    assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 0, errors: 0 });
    assertIdle(one);
  });

  it("a deadline that passes in the hold ends it there", () => {
    const one = world({}, { table: ONLY });
    const asked = one.ask({ protocol: "grpc", fields: ["grpc-timeout", "300m"] });
    one.clock.pass(299);
    assert.deepEqual(asked.ends, []);
    one.clock.pass(1);
    assert.deepEqual([asked.status, asked.ends], [504, ["end"]]);
    assert.equal(one.fleet.arm("a").room.size(), 0);
  });

  it("a pod that keeps to the client's deadline is not to blame for it", () => {
    const keepsTo: Deed = { kind: "answers", status: 504, ms: 48, pieces: 0, everyMs: 0, last: "end" };
    const one = world({ a1: always(answers), b1: always(keepsTo) }, { random: () => 0 });
    const asked = one.ask({ protocol: "grpc", fields: ["grpc-timeout", "50m"] });
    one.clock.pass(60);
    assert.equal(asked.status, 504);
    assert.deepEqual(evidenceOf(one.fleet.arm("b")), { requests: 0, errors: 0 });
    // long before it, it is
    const early = world({ a1: always(answers), b1: always(keepsTo) }, { random: () => 0 });
    early.ask({ protocol: "grpc", fields: ["grpc-timeout", "500m"] });
    early.clock.pass(60);
    assert.deepEqual(evidenceOf(early.fleet.arm("b")), { requests: 1, errors: 1 });
  });
});

describe("streams", () => {
  it("of one client leave room for other clients' streams, and for requests", () => {
    const one = world({ a1: always({ kind: "hangs" }), a2: always({ kind: "hangs" }) }, { table: ONLY, maxStreams: 8 });
    const client = { address: "10.0.0.1", streams: 0 };
    const first = Array.from({ length: 50 }, () => chat(one, { client }));
    const more = Array.from({ length: 50 }, () => chat(one));
    const open = (asked: Asked[]): number => asked.filter(({ ends }) => ends.length === 0).length;
    assert.deepEqual([open(first), open(more)], [8, 4], "half of 16 for a connection, three quarters for an address");
    assert.equal(first.at(-1)?.status, 429);
    assert.equal(open([chat(one, { address: "10.0.0.2" })]), 1);
    for (const { outstanding } of podsOf(one)) assert.equal(outstanding, 0);
    for (const { exchange } of [...first, ...more]) exchange.gone();
    assert.equal(client.streams, 0);
  });

  it("that find no place are told so at once, and keep nobody waiting", () => {
    const one = world({ a1: always({ kind: "hangs" }) }, { table: ONLY, maxStreams: 2 });
    const open = [chat(one, { address: "1" }), chat(one, { address: "2" })];
    assert.equal(chat(one, { address: "3" }).status, 503);
    open[0]?.exchange.gone();
    assert.equal(chat(one, { address: "3" }).ends.length, 0);
  });

  it("take no request's place: an answer that goes on is one after a second, and one of events at once", () => {
    const goesOn: Deed = { kind: "answers", status: 200, ms: 5, pieces: 100, everyMs: 500, last: "end" };
    const one = world({ a1: always(goesOn) }, { table: ONLY, cap: 1, maxStreams: 4 });
    const stream = one.ask();
    const next = one.ask();
    one.clock.pass(500);
    assert.equal(next.begun, false);
    one.clock.pass(1000);
    assert.equal(next.begun, true);
    stream.exchange.gone();
    next.exchange.gone();
    one.clock.pass(1);
    assertIdle(one);
  });

  it("for which there is no place end, rather than to keep a request's", () => {
    const goesOn: Deed = { kind: "answers", status: 200, ms: 5, pieces: 100, everyMs: 500, last: "end" };
    const one = world({ a1: always(goesOn) }, { table: ONLY, cap: 2, maxStreams: 1 });
    const asked = [one.ask({ address: "1" }), one.ask({ address: "2" })];
    one.clock.pass(2000);
    assert.deepEqual(asked.map(({ ends }) => ends.length).sort(), [0, 1]);
    assert.equal(podsOf(one)[0]?.outstanding, 0);
  });
});
