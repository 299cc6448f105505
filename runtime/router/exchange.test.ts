/** Requests in front of pods that refuse, reset, lie and die. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  always,
  answers,
  assertIdle,
  type Deed,
  evidenceOf,
  inTurn,
  MAX_WAIT_MS,
  ONLY,
  podClient,
  refuses,
  world,
} from "../../test/world/pods-by-hand.ts";

describe("requests for a revision whose pods refuse connections", () => {
  for (const count of [1, 2, 20])
    it(`are held, ${count} of them, and try one connection at a time, ever less often`, () => {
      const one = world({ a1: always(refuses), a2: always(refuses) }, { table: ONLY });
      const asked = Array.from({ length: count }, () => one.ask());
      // each may find out by itself, as long as nobody knows
      one.clock.pass(10);
      const before = one.tries.length;
      assert.ok(before <= 6, `${before} tries`);
      one.clock.pass(MAX_WAIT_MS - 20);
      const later = one.tries.slice(before);
      assert.ok(later.length <= 8, `${later.length} more tries in 3 s`);
      assert.equal(new Set(later.map(({ at }) => at)).size, later.length, "two connections at once");
      one.clock.pass(1000);
      assert.deepEqual(new Set(asked.map(({ status }) => status)), new Set([503]));
      // the revision has not answered, and that is counted once for each request, however often it was tried
      assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: count, errors: count });
      assertIdle(one);
    });

  it("say nothing of it where a pod answers in the end", () => {
    const one = world({ a1: inTurn(refuses, refuses, refuses, answers) }, { table: ONLY });
    const asked = [one.ask(), one.ask()];
    one.clock.pass(2000);
    assert.deepEqual(
      asked.map(({ status }) => status),
      [200, 200],
    );
    assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 2, errors: 0 });
    assert.equal(one.fleet.arm("a").counters.transport.unreachable, 3);
    assert.equal(one.fleet.arm("a").counters.outcomes.unreachable, 0);
  });

  it("do not keep those of the other protocol away", () => {
    const one = world({ a1: always(answers) }, { table: ONLY, cap: 1 });
    const [pod] = one.fleet.arm("a").pods;
    assert.ok(pod !== undefined);
    const { send } = pod.client;
    pod.client.send = (message, events) =>
      message.protocol === "grpc"
        ? podClient(one.clock, "a1", always(refuses), one.tries).send(message, events)
        : send(message, events);
    const calls = [one.ask({ protocol: "grpc" }), one.ask({ protocol: "grpc" })];
    one.clock.pass(100);
    const others = [one.ask(), one.ask(), one.ask()];
    one.clock.pass(100);
    assert.deepEqual(
      others.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.deepEqual(
      calls.map(({ ends }) => ends.length),
      [0, 0],
    );
  });

  it("are answered by the pods that take connections, without a pause", () => {
    const one = world(
      { a1: always(refuses), a2: always(refuses), a3: always(answers) },
      { table: ONLY, random: () => 0 },
    );
    const asked = one.ask();
    one.clock.pass(50);
    assert.equal(asked.status, 200);
    assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 1, errors: 0 });
  });

  it("of a canary go to stable, one evidence each, and connections are tried no more often for all of them", () => {
    const one = world({ a1: always(answers), b1: always(refuses) }, { random: () => 0 });
    for (let i = 0; i < 50; i++) {
      const asked = one.ask();
      one.clock.pass(20);
      assert.equal(asked.status, 200);
    }
    assert.deepEqual(evidenceOf(one.fleet.arm("b")), { requests: 50, errors: 50 });
    assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 0, errors: 0 });
    const canary = one.tries.filter(({ pod }) => pod === "b1").length;
    assert.ok(canary <= 4, `${canary} tries in a second`);
  });

  it("are counted once for each revision that could not be asked, however often it was tried", () => {
    const one = world({ a1: always(answers), b1: always(refuses) }, { random: () => 0.99, unready: new Set(["a1"]) });
    const asked = one.ask();
    one.clock.pass(MAX_WAIT_MS + 10);
    assert.equal(asked.status, 503);
    assert.ok(one.tries.length > 2, `${one.tries.length} tries`);
    for (const { counters } of one.fleet.arms())
      assert.deepEqual([counters.outcomes.unreachable, counters.replayed <= 1], [1, true]);
    const [a, b] = [evidenceOf(one.fleet.arm("a")), evidenceOf(one.fleet.arm("b"))];
    assert.deepEqual(
      [a, b],
      [
        { requests: 1, errors: 1 },
        { requests: 0, errors: 0 },
      ],
    );
  });

  it("are no evidence on who takes long to connect, within the time that a request has", () => {
    const slow: Deed = { kind: "fails", how: "unreachable", ms: 2000 };
    const one = world({ a1: inTurn(slow, answers) }, { table: ONLY });
    const asked = one.ask();
    one.clock.pass(2500);
    assert.equal(asked.status, 200);
    assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 1, errors: 0 });
  });

  it("have one evidence where the canary's first pod cannot be reached and its second one answers", () => {
    const one = world({ a1: always(answers), b1: always(refuses), b2: always(answers) }, { random: () => 0 });
    const asked = one.ask();
    one.clock.pass(20);
    assert.equal(asked.status, 200);
    assert.deepEqual(
      one.tries.map(({ pod }) => pod),
      ["b1", "b2"],
    );
    assert.deepEqual(evidenceOf(one.fleet.arm("b")), { requests: 1, errors: 0 });
  });

  it("keep their bodies, whatever their size, until there is a connection", () => {
    const one = world({ a1: always(refuses), a2: always(answers) }, { table: ONLY, random: () => 0 });
    let reads = 0;
    const source = { read: () => void reads++, pause: () => undefined, resume: () => undefined, isWhole: () => true };
    const asked = one.ask({ body: { kind: "stream", length: 2 ** 21, source } });
    one.clock.pass(50);
    assert.deepEqual([asked.status, reads], [200, 1]);
  });
});

describe("a request that a pod may have died of", () => {
  const dies: Deed = { kind: "fails", how: "broken", ms: 5 };
  const isStale: Deed = { kind: "fails", how: "stale", ms: 5 };

  it("is not sent to another one", () => {
    for (const deed of [dies, isStale]) {
      const one = world({ a1: always(deed), a2: always(deed), a3: always(deed) }, { table: ONLY });
      const asked = one.ask();
      one.clock.pass(100);
      assert.deepEqual([asked.status, one.tries.length], [502, 1]);
      assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 1, errors: 1 });
    }
  });

  it("is sent once more where it changes nothing and the connection had been idle", () => {
    const one = world({ a1: always(isStale), a2: always(isStale), a3: always(isStale) }, { table: ONLY });
    const asked = one.ask({ method: "GET" });
    one.clock.pass(100);
    assert.deepEqual([asked.status, one.tries.length], [502, 2]);
    assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 1, errors: 1 });
  });

  it("is sent once more where the pod says that it has not begun with it, also to itself", () => {
    const unseen: Deed = { kind: "fails", how: "unseen", ms: 5 };
    const one = world({ a1: inTurn(unseen, answers) }, { table: ONLY });
    const asked = one.ask();
    one.clock.pass(100);
    assert.deepEqual([asked.status, one.tries.length], [200, 2]);
    assert.deepEqual(evidenceOf(one.fleet.arm("a")), { requests: 1, errors: 0 });
    const never = world({ a1: always(unseen), a2: always(unseen) }, { table: ONLY });
    const refused = never.ask();
    never.clock.pass(100);
    assert.deepEqual([refused.status, never.tries.length], [502, 2]);
  });
});

describe("a request that a canary's pod has had", () => {
  it("does not come back to it where stable has no pod that is ready", () => {
    const one = world({ a1: always(answers), b1: always({ kind: "hangs" }) }, { random: () => 0 });
    const asked = one.ask();
    one.clock.pass(100);
    one.setPods(new Set(["a1"]));
    one.clock.pass(1500);
    assert.deepEqual([asked.ends, one.tries.length], [[], 1]);
    one.setPods(new Set());
    one.clock.pass(10);
    assert.equal(asked.status, 200);
  });
});

describe("a request that cannot be sent", () => {
  const invalid: Deed = { kind: "fails", how: "invalid", ms: 0 };
  it("is refused, counts for nothing, and is tried once", () => {
    const one = world({ a1: always(answers), b1: always(invalid) }, { random: () => 0 });
    const asked = one.ask();
    one.clock.pass(100);
    assert.deepEqual([asked.status, one.tries.length], [400, 1]);
    assert.deepEqual(evidenceOf(one.fleet.arm("b")), { requests: 0, errors: 0 });
    assertIdle(one);
  });

  it("is not even tried where that is known before", () => {
    const one = world({ a1: always(answers) }, { table: ONLY });
    for (const fields of [
      ["http2-settings", "x"],
      ["user-agent", "a", "user-agent", "b"],
      ["content-type", "application/grpc", "content-type", "application/grpc"],
    ])
      assert.equal(one.ask({ protocol: "grpc", fields }).status, 400);
    assert.equal(one.ask({ protocol: "grpc", method: "GET" }).status, 400);
    assert.equal(one.tries.length, 0);
  });
});

describe("an answer that its client does not take", () => {
  const many: Deed = { kind: "answers", status: 200, ms: 5, pieces: 50, everyMs: 1, last: "end" };

  it("leaves memory to collect when the client goes, or has taken all in the end; one that is taken at once leaves none", () => {
    const whole = world({ a1: always(many) }, { table: ONLY });
    whole.ask();
    whole.clock.pass(100);
    assert.deepEqual(whole.freed, []);
    for (const leaves of [true, false]) {
      const one = world({ a1: always(many) }, { table: ONLY });
      const asked = one.ask({ reads: false });
      one.clock.pass(50);
      assert.deepEqual(one.freed, [], "while it waits");
      if (leaves) asked.exchange.gone();
      for (let taken = 0; taken < 60; taken++) {
        asked.exchange.drained();
        one.clock.pass(10);
      }
      assert.ok(one.freed.length === 1 && (one.freed[0] ?? 0) >= 64 * 1024, `${one.freed}`);
    }
  });
});
