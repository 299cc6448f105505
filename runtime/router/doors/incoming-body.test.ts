import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createKeptBytes } from "../kept-bytes.ts";
import type { Body } from "../message.ts";
import { createIncomingBody } from "./incoming-body.ts";
import { createReservation } from "./reservation.ts";

const MOST = 256 * 1024;
/** A reserve of an eighth comes on top of it, for who holds little. */
const BOUND = (MOST * 9) / 8;

type Step = { kind: "push"; length: number } | { kind: "stream" | "read" | "pause" | "resume" | "end" | "release" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("push" as const), length: fc.integer({ min: 1, max: 40_000 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom("read" as const, "pause" as const, "resume" as const).map((kind) => ({ kind })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("stream" as const, "end" as const, "release" as const).map((kind) => ({ kind })),
  },
);

test("bodies come as they were sent, within the memory there is, and leave nothing behind", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2), step), { maxLength: 80 }), (steps) => {
      const kept = createKeptBytes(MOST, () => 0);
      const bodies = [0, 1, 2].map(() => {
        let served: Body | undefined;
        let isOver = false;
        const sent: Buffer[] = [];
        const got: Buffer[] = [];
        const state = { ended: 0, overloaded: false };
        const body = createIncomingBody({
          reservation: createReservation(kept.nextShare(), () => false),
          length: undefined,
          serve: (one) => {
            assert.equal(served, undefined, "it is served once");
            served = one;
            if (one.kind === "whole") got.push(...one.pieces);
          },
          pause: () => undefined,
          resume: () => undefined,
          overloaded: () => {
            state.overloaded = isOver = true;
            body.release();
          },
        });
        let reads = false;
        let paused = false;
        const act = (one: Step): void => {
          const source = served?.kind === "stream" ? served.source : undefined;
          if (isOver) return;
          if (one.kind === "push") {
            if (state.ended > 0) return;
            const came = Buffer.alloc(one.length + 10, sent.length);
            const piece = came.subarray(10);
            sent.push(Buffer.from(piece));
            body.push(piece);
          } else if (one.kind === "stream") body.stream();
          else if (one.kind === "end") {
            state.ended ||= 1;
            body.end();
          } else if (one.kind === "release") {
            isOver = true;
            body.release();
          } else if (one.kind === "read" && source !== undefined && !reads) {
            reads = true;
            source.read(
              (piece) => {
                assert.equal(paused, false, "nothing comes to who has stopped it");
                got.push(piece);
              },
              () => {
                state.ended++;
              },
            );
          } else if (one.kind === "pause" && reads) {
            paused = true;
            source?.pause();
          } else if (one.kind === "resume" && reads) {
            paused = false;
            source?.resume();
          }
        };
        const check = (): void => {
          const all = Buffer.concat(sent);
          const some = Buffer.concat(got);
          assert.ok(all.subarray(0, some.length).equals(some));
          if (!isOver && reads && !paused) assert.equal(some.length, all.length, "who reads has all that came");
          if (state.ended > 1 || (served?.kind === "whole" && !isOver)) assert.equal(some.length, all.length);
        };
        return { act, check, release: body.release };
      });
      for (const [which, one] of steps) {
        bodies[which]?.act(one);
        assert.ok(kept.used() <= BOUND, `${kept.used()}`);
        for (const { check } of bodies) check();
      }
      for (const { release } of bodies) release();
      assert.equal(kept.used(), 0);
    }),
    { numRuns: 300 },
  );
});
