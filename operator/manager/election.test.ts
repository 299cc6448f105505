import assert from "node:assert/strict";
import { test } from "node:test";
import { isValid, LEASE_MS, mayClaim, observe, RENEW_DEADLINE_MS, RETRY_MS, retryAfter } from "./election.ts";

const claim = (holder: string, resourceVersion: string) => ({ holder, durationMs: LEASE_MS, resourceVersion });

test("another's lease may be claimed only after it stood unchanged for its whole duration, by our own clock", () => {
  const first = observe(undefined, claim("other", "1"), 1000);
  const later = observe(first, claim("other", "1"), 9000);
  assert.equal(later.at, 1000);
  assert.equal(mayClaim(later, "me", 1000 + LEASE_MS), false);
  assert.equal(mayClaim(later, "me", 1001 + LEASE_MS), true);
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
    [isValid(undefined, 0), isValid(0, RENEW_DEADLINE_MS - 1), isValid(0, RENEW_DEADLINE_MS)],
    [false, true, false],
  );
  assert.ok(LEASE_MS > RENEW_DEADLINE_MS && RENEW_DEADLINE_MS > 3 * retryAfter(1));
  assert.ok(retryAfter(0) === RETRY_MS);
});
