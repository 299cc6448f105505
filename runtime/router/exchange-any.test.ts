/** Whatever pods and clients do, in whatever order. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { assertIdle, conversation, type Deed, evidenceOf, refuses, world } from "../../test/world/pods-by-hand.ts";
import type { Failure, Message } from "./message.ts";

const deedOf: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({
    kind: fc.constant("fails" as const),
    how: fc.constantFrom<Failure>("unreachable", "unreachable", "unseen", "stale", "broken", "invalid"),
    ms: fc.constantFrom(0, 3, 300, 2000),
  }),
  fc.record({
    kind: fc.constant("answers" as const),
    status: fc.constantFrom(200, 200, 200, 400, 429, 500, 503, 504),
    ms: fc.constantFrom(0, 3, 300, 1200),
    pieces: fc.nat(3),
    everyMs: fc.constantFrom(0, 10, 700, 6000),
    last: fc.constantFrom("end", "end", "breaks", "hangs"),
  }),
  fc.constant<Deed>({ kind: "hangs" }),
);
const askOf = fc.record({
  method: fc.constantFrom("POST", "POST", "GET"),
  protocol: fc.constantFrom("http" as const, "grpc" as const),
  body: fc.constantFrom("whole" as const, "upload" as const, "conversation" as const),
  timeout: fc.constantFrom(undefined, undefined, "20m", "700m", "9S"),
  pinned: fc.constantFrom(undefined, undefined, undefined, "a", "b", "c"),
  leavesAfter: fc.constantFrom(undefined, undefined, undefined, 0, 5, 900),
  pauseMs: fc.constantFrom(0, 0, 1, 50, 1500),
  random: fc.constantFrom(0, 0.3, 0.99),
});

describe("whatever pods and clients do", () => {
  it("each request ends once, slots come back, evidence is counted once at most, and nothing is repeated that may not be", () => {
    fc.assert(
      fc.property(
        fc.record({
          a1: fc.array(deedOf, { minLength: 1, maxLength: 6 }),
          a2: fc.array(deedOf, { minLength: 1, maxLength: 6 }),
          b1: fc.array(deedOf, { minLength: 1, maxLength: 6 }),
        }),
        fc.array(askOf, { minLength: 1, maxLength: 25 }),
        fc.array(fc.record({ unready: fc.subarray(["a1", "a2", "b1"]), atMs: fc.nat(4000) }), { maxLength: 6 }),
        (deeds, asks, flaps) => {
          let at = 0;
          let chance = 0;
          const next = (list: readonly Deed[]) => (): Deed => list[at++ % list.length] ?? refuses;
          const one = world({ a1: next(deeds.a1), a2: next(deeds.a2), b1: next(deeds.b1) }, { random: () => chance });
          for (const { atMs, unready } of flaps.slice(1)) one.clock.after(atMs, () => one.setPods(new Set(unready)));
          const asked = asks.map(({ body, leavesAfter, pauseMs, pinned, random, timeout, ...message }, i) => {
            chance = random;
            const fields = ["x-id", String(i)];
            if (timeout !== undefined) fields.push("grpc-timeout", timeout);
            if (pinned !== undefined) fields.push("x-berth-revision", pinned);
            const upload: Message["body"] = {
              ...{ kind: "stream", length: 2 ** 21 },
              source: {
                read: (onData, onEnd) =>
                  void one.clock.after(20, () => {
                    onData(Buffer.from("x"));
                    onEnd();
                  }),
                ...{ pause: () => undefined, resume: () => undefined, isWhole: () => false },
              },
            };
            const whole: Message["body"] = { kind: "whole", pieces: [], bytes: 10 };
            const content = body === "whole" ? whole : body === "upload" ? upload : conversation();
            const request = one.ask({ ...message, fields, body: content, address: String(i % 3) });
            if (leavesAfter !== undefined)
              one.clock.after(leavesAfter, () => {
                request.left = request.ends.length === 0;
                request.exchange.gone();
              });
            one.clock.pass(pauseMs);
            return request;
          });
          one.clock.pass(600_000);
          assertIdle(one);
          asked.forEach(({ ends, left }, i) => {
            assert.equal(ends.length, left ? 0 : 1, `request ${i} of ${JSON.stringify(asks[i])}: ${ends}`);
          });
          const [a, b] = [evidenceOf(one.fleet.arm("a")), evidenceOf(one.fleet.arm("b"))];
          assert.ok(a.requests + b.requests <= asks.length, "one evidence for each request, whatever it went through");
          for (const { counters, revision } of one.fleet.arms()) {
            const { unreachable, ...others } = counters.outcomes;
            const counted = Object.values(others).reduce((sum, count) => sum + count, 0);
            assert.ok(counted <= asks.length, `${counted} outcomes of ${asks.length} requests on ${revision}`);
            assert.ok(
              unreachable <= asks.length,
              `${unreachable} of ${asks.length} requests found no pod of ${revision}`,
            );
          }
          for (const [i, { method }] of asks.entries()) {
            const mine = one.tries.filter(({ message }) => message.fields[1] === String(i));
            const seen = mine.filter(({ failed, reached }) => reached && failed !== "unseen");
            // the canary's and stable's; once more where that is safe
            assert.ok(seen.length <= (method === "GET" ? 3 : 2), `${seen.length} pods saw it`);
            if (method === "POST")
              assert.equal(new Set(seen.map(({ pod }) => pod)).size, seen.length, "a pod saw it twice");
            assert.ok(mine.filter(({ reached }) => reached).length <= 4);
            assert.ok(mine.length <= 60, `${mine.length} tries`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
