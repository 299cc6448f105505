import assert from "node:assert/strict";
import { test } from "node:test";
import { ELECTION_TIMES, faultOf, isValid, mayClaim, observe, retryAfter } from "./election.ts";

const { leaseMs, renewDeadlineMs, retryMs } = ELECTION_TIMES;

const claim = (holder: string, resourceVersion: string) => ({ holder, durationMs: leaseMs, resourceVersion });

test("another's lease may be claimed only after it stood unchanged for its whole duration, by our own clock", () => {
  const first = observe(undefined, claim("other", "1"), 1000);
  const later = observe(first, claim("other", "1"), 9000);
  assert.equal(later.at, 1000);
  assert.equal(mayClaim(later, "me", 1000 + leaseMs), false);
  assert.equal(mayClaim(later, "me", 1001 + leaseMs), true);
});

test("a renewal starts the wait over", () => {
  const renewed = observe(observe(undefined, claim("other", "1"), 0), claim("other", "2"), 14_000);
  assert.equal(mayClaim(renewed, "me", 20_000), false);
});

test("our own lease and a released one may be claimed at once", () => {
  assert.equal(mayClaim(observe(undefined, claim("me", "1"), 0), "me", 1), true);
  assert.equal(mayClaim(observe(undefined, claim("", "1"), 0), "me", 1), true);
});

test("a leader stops before anybody else may start, with time for several tries", () => {
  assert.deepEqual(
    [
      isValid(undefined, 0, ELECTION_TIMES),
      isValid(0, renewDeadlineMs - 1, ELECTION_TIMES),
      isValid(0, renewDeadlineMs, ELECTION_TIMES),
    ],
    [false, true, false],
  );
  assert.ok(leaseMs > renewDeadlineMs && renewDeadlineMs > 3 * retryAfter(1, ELECTION_TIMES));
  assert.ok(retryAfter(0, ELECTION_TIMES) === retryMs);
});

test("times with which two could lead, or none could stay, are told apart", () => {
  assert.equal(faultOf(ELECTION_TIMES), undefined);
  assert.equal(faultOf({ leaseMs: 3000, renewDeadlineMs: 2000, retryMs: 400 }), undefined);
  assert.match(faultOf({ ...ELECTION_TIMES, leaseMs: 500 }) ?? "", /whole seconds/);
  assert.equal(faultOf({ ...ELECTION_TIMES, leaseMs: 86_400_000 }), undefined);
  // half of such a deadline is more than a timer of Node takes: each renewal would time out at once
  assert.match(faultOf({ ...ELECTION_TIMES, leaseMs: 2 ** 33 * 1000 }) ?? "", /at most 24h/);
  assert.match(faultOf({ ...ELECTION_TIMES, renewDeadlineMs: 15_000 }) ?? "", /two could lead/);
  assert.match(faultOf({ ...ELECTION_TIMES, retryMs: 9000 }) ?? "", /--retry-period/);
});
