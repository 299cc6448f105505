import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createServerClock } from "./server-clock.ts";

const START = Date.UTC(2026, 0, 1, 12, 0, 0, 400);
const MINUTE = 60_000;

/** A server whose clock can be stepped and runs at a rate of its own, a node whose own clock is off, and time that the test turns. */
const createWorld = (wallOffset = 0, rate = 1) => {
  const world = { elapsed: 0, server: START, wall: wallOffset };
  const skews: number[] = [];
  const monotonic = () => 5_000 + world.elapsed;
  const clock = createServerClock({
    monotonic,
    wall: () => START + world.elapsed + world.wall,
    onSkew: (ms) => skews.push(Math.round(ms / 1000)),
  });
  const serverTime = () => world.server + world.elapsed * rate;
  const pass = (ms: number) => {
    world.elapsed += ms;
  };
  /** An answer that takes so long on its way there and back. */
  const ask = (there = 5, back = 5) => {
    const sentAt = monotonic();
    pass(there);
    const date = new Date(serverTime()).toUTCString();
    pass(back);
    clock.heard({ date, sentAt, at: monotonic() });
  };
  return { ...{ world, clock, pass, ask, serverTime, skews } };
};

describe("the API server's time", () => {
  it("is known within a few answers to some ten milliseconds, whatever this node's clock says", () => {
    for (const off of [0, 10 * MINUTE, -10 * MINUTE]) {
      const { ask, clock, pass, serverTime } = createWorld(off);
      for (let i = 0; i < 100; i++) {
        ask();
        pass(137);
      }
      assert.ok(Math.abs(clock.now() - serverTime()) < 50, `${clock.now() - serverTime()} ms off`);
    }
  });

  it("stays within 2 s and never goes back, however this node's clock steps and however long answers take", () => {
    const minute = fc.integer({ min: -20 * MINUTE, max: 20 * MINUTE });
    const delay = fc.integer({ min: 0, max: 900 });
    const event = fc.oneof(
      fc.record({ wall: minute }),
      fc.record({ there: delay, back: delay }),
      fc.record({ pass: fc.integer({ min: 1, max: 100_000 }) }),
    );
    const rates = fc.double({ min: 0.9995, max: 1.0005, noNaN: true });
    const run = (
      wall: number,
      rate: number,
      events: ({ wall: number } | { there: number; back: number } | { pass: number })[],
    ) => {
      const { ask, clock, pass, serverTime, world } = createWorld(wall, rate);
      for (let i = 0; i < 3; i++) ask();
      let last = 0;
      for (const one of events) {
        if ("wall" in one) world.wall = one.wall;
        else if ("there" in one) ask(one.there, one.back);
        else pass(one.pass);
        const now = clock.now();
        assert.ok(now >= last, "it goes back");
        assert.ok(Math.abs(now - serverTime()) < 2000, `${now - serverTime()} ms off`);
        last = now;
      }
    };
    fc.assert(fc.property(minute, rates, fc.array(event, { maxLength: 60 }), run), { numRuns: 1000 });
  });

  it("follows the server's own clock forwards at once, and backwards at half speed until they meet", () => {
    const { ask, clock, pass, serverTime, world } = createWorld();
    for (let i = 0; i < 3; i++) ask();
    clock.now();
    world.server += 10 * MINUTE;
    for (let i = 0; i < 3; i++) ask();
    assert.ok(Math.abs(clock.now() - serverTime()) < 1100);

    world.server -= 10 * MINUTE;
    for (let i = 0; i < 3; i++) ask();
    const before = clock.now();
    pass(5 * MINUTE);
    assert.ok(Math.abs(clock.now() - before - 2.5 * MINUTE) < 1100, `${clock.now() - before}`);
    pass(16 * MINUTE);
    clock.now();
    assert.ok(Math.abs(clock.now() - serverTime()) < 1100);
  });

  it("is not what one answer says that no other agrees with, nor one without a date", () => {
    const { ask, clock, serverTime, world } = createWorld();
    for (let i = 0; i < 3; i++) ask();
    for (const wrong of [60 * MINUTE, -60 * MINUTE, 30 * MINUTE]) {
      world.server += wrong;
      ask();
      world.server -= wrong;
      ask();
      clock.heard({ date: "", sentAt: 0, at: 0 });
      assert.ok(Math.abs(clock.now() - serverTime()) < 1100);
    }
  });

  it("is this node's as it was at the start, until the server has answered", () => {
    const { ask, clock, pass, serverTime, world } = createWorld(10 * MINUTE);
    world.wall = -MINUTE;
    pass(1000);
    assert.equal(clock.now(), serverTime() + 10 * MINUTE);
    for (let i = 0; i < 3; i++) ask();
    assert.ok(Math.abs(clock.now() - serverTime()) < 1100);
  });

  it("says when this node's clock is off, and when it is right again", () => {
    const { ask, skews, world } = createWorld(10 * MINUTE);
    for (let i = 0; i < 10; i++) ask();
    world.wall = 0;
    for (let i = 0; i < 10; i++) ask();
    assert.deepEqual(
      skews.map((seconds) => Math.round(seconds / 60) + 0),
      [10, 0],
    );
  });
});
