import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { timeoutOf } from "../transport/grpc/deadline.ts";
import { firstFieldOf } from "../transport/http/fields.ts";
import { deadlineOf, hasPassed, withoutDeadline, withTimeLeft } from "./deadline.ts";
import type { Message } from "./message.ts";

const call = (...fields: string[]): Message => ({
  ...{ protocol: "grpc", method: "POST", target: "/a/b", fields },
  body: { kind: "whole", pieces: [], bytes: 0 },
});

describe("a call's deadline", () => {
  it("is in its own unit, and none where there is none that could be understood", () => {
    const ends = ["100m", "2S", "1H", "99999999H", "x", "123456789S", ""].map((text) =>
      deadlineOf(call("grpc-timeout", text), 1000),
    );
    const never = Number.POSITIVE_INFINITY;
    assert.deepEqual(ends, [1100, 3000, 3_601_000, never, never, never, never]);
    assert.equal(deadlineOf({ ...call("grpc-timeout", "1S"), protocol: "http" }, 0), never);
    assert.equal(hasPassed(never, 1e12), false);
  });

  it("is told to pods as what is left of it, in eight digits, and never as more", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.double({ min: 0, max: 1, noNaN: true }), (ms, share) => {
        const before = call("a", "grpc-timeout", "grpc-timeout", `${Math.min(ms, 99_999_999)}m`, "b", "c");
        const deadlineAt = deadlineOf(before, 0) === Number.POSITIVE_INFINITY ? ms : Math.min(ms, 99_999_999);
        const now = deadlineAt * share;
        const { fields } = withTimeLeft(before, deadlineAt, now);
        const text = firstFieldOf(fields, "grpc-timeout") ?? "";
        assert.match(text, /^\d{1,8}[mS]$/);
        assert.ok((timeoutOf(text) ?? Number.NaN) <= Math.max(1, deadlineAt - now));
        assert.deepEqual([fields[0], fields[1], ...fields.slice(4)], ["a", "grpc-timeout", "b", "c"]);
      }),
    );
  });

  it("is left out of copies", () => {
    const { fields } = withoutDeadline(call("a", "grpc-timeout", "grpc-timeout", "1S", "b", "c"));
    assert.deepEqual(fields, ["a", "grpc-timeout", "b", "c"]);
  });
});
