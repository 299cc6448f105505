import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SMALL_BYTES, YOUNG_MS } from "./room.ts";
import { createMemory, createShares } from "./shares.ts";

/** A clock on which all that is held is old by the next look. */
const hurried = () => {
  let now = 0;
  return () => (now += YOUNG_MS);
};

test("the connection that holds the most makes room, with what it has held for longest", () => {
  const next = createShares(100, hurried());
  const greedy = next();
  const ended: number[] = [];
  for (const i of [0, 1, 2]) {
    const lease = greedy.lease(() => {
      ended.push(i);
      lease.end();
      return true;
    });
    lease.take(30);
  }
  const other = next().lease(() => false);
  other.take(20);
  assert.deepEqual(ended, [0]);
  other.take(20);
  assert.deepEqual(ended, [0]);
});

test("who would hold the most is refused itself, and so is who finds nothing that can be freed", () => {
  const next = createShares(100, hurried());
  const [one, two] = [next(), next()];
  one.lease(() => assert.fail("it holds less")).take(40);
  const large = two.lease(() => false);
  large.take(50);
  assert.throws(() => large.take(20), /too many large messages/);
  const third = next().lease(() => false);
  assert.throws(() => third.take(41), /too many large messages/);
});

test("what is released can be had again, and after its end a lease takes nothing", () => {
  const share = createShares(10, hurried())();
  const lease = share.lease(() => false);
  for (let i = 0; i < 3; i++) {
    lease.take(10);
    lease.release();
  }
  lease.end();
  assert.throws(() => lease.take(1), /the client closed the connection/);
  share.lease(() => false).take(10);
});

test("never more is held than there is, and all of it can be had again after the releases", () => {
  const most = 100;
  const step = fc.record({
    at: fc.nat(5),
    bytes: fc.integer({ min: 1, max: 60 }),
    kind: fc.constantFrom("take", "take", "release"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const next = createShares(most, hurried());
      const shares = [next(), next(), next()];
      const held = new Map<number, number>();
      const leases = [0, 1, 2, 3, 4, 5].flatMap((at) => {
        const lease = shares[at % 3]?.lease(() => {
          held.delete(at);
          lease?.release();
          return true;
        });
        return lease ?? [];
      });
      for (const { at, bytes, kind } of steps) {
        if (kind === "release") {
          leases[at]?.release();
          held.delete(at);
          continue;
        }
        try {
          leases[at]?.take(bytes);
          held.set(at, (held.get(at) ?? 0) + bytes);
        } catch (error) {
          assert.match(String(error), /too many large messages/);
        }
        assert.ok([...held.values()].reduce((sum, one) => sum + one, 0) <= most);
      }
      for (const lease of leases) lease.release();
      next()
        .lease(() => assert.fail("nothing is held"))
        .take(most);
    }),
    { seed: 4, numRuns: 500 },
  );
});

test("a lease that took nothing is not asked to make room", () => {
  const next = createShares(100, hurried());
  const idle = next();
  idle.lease(() => assert.fail("it holds nothing")).take(0);
  const large = idle.lease(() => {
    large.release();
    return true;
  });
  large.take(90);
  next()
    .lease(() => false)
    .take(20);
});

test("one of which nothing can be freed does not keep the others from making room", () => {
  const next = createShares(100, hurried());
  next()
    .lease(() => false)
    .take(60);
  const slow = next().lease(() => {
    slow.end();
    return true;
  });
  slow.take(35);
  next()
    .lease(() => false)
    .take(20);
});

test("what is young makes no room, and does once it is old", () => {
  let now = 0;
  const next = createShares(100, () => now);
  const large = next().lease(() => {
    large.end();
    return true;
  });
  large.take(90);
  const other = next().lease(() => false);
  now = YOUNG_MS - 1;
  assert.throws(() => other.take(20), /too many large messages/);
  now = YOUNG_MS;
  other.take(20);
});

test("large messages, young ones too, leave the reserve to the small", () => {
  const most = 1024 * SMALL_BYTES;
  const next = createShares(most, () => 0);
  const young = () => next().lease(() => assert.fail("it is young"));
  young().take(most / 2);
  const large = young();
  large.take(most / 2);
  assert.throws(() => large.take(1), /too many large messages/);
  for (let bytes = 0; bytes < most / 8; bytes += SMALL_BYTES) {
    const small = young();
    small.take(SMALL_BYTES);
    assert.throws(() => small.take(1), /too many large messages/, "what grows has no part of the reserve");
  }
  assert.throws(() => young().take(1), /too many large messages/, "the reserve has its end");
  large.release();
  young().take(most / 2 - most / 8);
});

test("requests, bodies and answers are one account: what one holds the others cannot have", () => {
  const memory = createMemory(100, hurried());
  const body = memory.nextShare().lease(() => false);
  body.take(50);
  assert.equal(memory.take(40), true);
  assert.equal(memory.usedBytes(), 90);
  assert.equal(memory.take(40), false, "nothing was taken");
  assert.throws(() => body.take(20), /too many large messages/);
  memory.give(40);
  body.take(20);
  assert.equal(memory.take(30), true);
});

test("a request that is admitted has a body that has grown old make room, and is never made to", () => {
  const memory = createMemory(100, hurried());
  const body = memory.nextShare().lease(() => {
    body.end();
    return true;
  });
  body.take(80);
  assert.equal(memory.take(60), true);
  assert.equal(memory.usedBytes(), 60);
  const late = memory.nextShare().lease(() => false);
  assert.throws(() => late.take(50), /too many large messages/);
});

/** A crowd of whole messages that fill the memory while they wait, and are read one by one; each then needs more. */
const crowd = (count: number, bodyBytes: number, neededBytes: (i: number) => number) => {
  const memory = createMemory(count * bodyBytes, () => 0);
  const outcomes = new Map<number, "admitted" | "refused" | "crowded out">();
  const waiting = Array.from({ length: count }, (_, i) => {
    const lease = memory.nextShare().lease(() => false);
    lease.take(bodyBytes);
    const begun = memory.unread(bodyBytes, () => {
      outcomes.set(i, "crowded out");
      lease.release();
    });
    return { lease, begun };
  });
  const held: (() => void)[] = [];
  return {
    memory,
    outcomes,
    read(i: number): void {
      const { begun, lease } = waiting[i] ?? assert.fail("no such message");
      if (outcomes.has(i)) return;
      begun();
      const bytes = neededBytes(i);
      const fits = memory.admit(bytes);
      outcomes.set(i, fits ? "admitted" : "refused");
      if (!fits) {
        lease.release();
        return;
      }
      held.push(() => {
        memory.give(bytes);
        lease.release();
      });
    },
    /** The one that was admitted first is answered. */
    answer: () => held.shift()?.(),
  };
};

test("of a crowd that fills the memory unread, those that were read first are admitted, and the last ones make room", () => {
  const { memory, outcomes, read } = crowd(100, 1, () => 30);
  for (let i = 0; i < 100; i++) read(i);
  const of = (outcome: string) => [...outcomes].filter(([, one]) => one === outcome).map(([i]) => i);
  assert.deepEqual(of("admitted"), [0, 1, 2]);
  assert.deepEqual(
    of("crowded out").sort((one, other) => one - other),
    Array.from({ length: 90 }, (_, i) => 10 + i),
  );
  assert.deepEqual(of("refused"), [3, 4, 5, 6, 7, 8, 9]);
  assert.equal(memory.usedBytes(), 3 * 31);
});

test("those that wait unread are not refused where that is in vain, nor for what is merely taken, nor once they are read", () => {
  const { memory, outcomes, read } = crowd(10, 10, () => 91);
  read(0);
  assert.deepEqual([...outcomes], [[0, "refused"]], "there is no room for it beside nine others, and none if they go");
  assert.equal(memory.take(20), false);
  assert.equal(memory.admit(20), true);
  assert.deepEqual([...outcomes.keys()], [0, 9]);
});

test("whatever comes together, not all are refused, and in the end nothing is held", () => {
  const message = fc.integer({ min: 1, max: 60 });
  fc.assert(
    fc.property(
      fc.array(message, { minLength: 8, maxLength: 40 }),
      fc.array(fc.constantFrom("read", "answer"), { maxLength: 80 }),
      (needed, steps) => {
        const { memory, outcomes, read, answer } = crowd(needed.length, 10, (i) => needed[i] ?? 0);
        let next = 0;
        for (const step of steps) {
          if (step === "answer") answer();
          else if (next < needed.length) read(next++);
          assert.ok(memory.usedBytes() <= memory.mostBytes);
        }
        while (next < needed.length) read(next++);
        assert.equal(outcomes.get(0), "admitted");
        assert.equal(outcomes.size, needed.length);
        for (const _ of needed) answer();
        assert.equal(memory.usedBytes(), 0);
      },
    ),
    { seed: 4, numRuns: 500 },
  );
});
