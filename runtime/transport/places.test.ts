import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPlaces, type Guest } from "./places.ts";

type Made = Guest & { since: number | undefined; closed: boolean };
const guestOf = (since: number | undefined): Made => {
  const made: Made = {
    since,
    closed: false,
    idleSince: () => made.since,
    destroy: () => {
      made.closed = true;
    },
  };
  return made;
};

test("where all places are taken, what has said nothing for longest makes room", () => {
  const places = createPlaces(4, () => 0);
  const [busy, old, older, young] = [guestOf(undefined), guestOf(2), guestOf(1), guestOf(3)];
  for (const [i, guest] of [busy, old, older, young].entries()) places.add(guest, `10.0.0.${i}`);
  assert.equal(places.admit("10.0.0.9"), true);
  assert.deepEqual([busy.closed, old.closed, older.closed, young.closed], [false, false, true, false]);
  places.add(guestOf(undefined), "10.0.0.9");
  // it has begun to speak meanwhile
  old.since = undefined;
  assert.equal(places.admit("10.0.0.8"), true);
  assert.deepEqual([old.closed, young.closed], [false, true]);
  places.add(guestOf(undefined), "10.0.0.8");
  assert.equal(places.admit("10.0.0.7"), false);
});

test("one address does not get all places", () => {
  const places = createPlaces(8, () => 0);
  const mine = Array.from({ length: 6 }, () => guestOf(undefined));
  for (const guest of mine) {
    assert.equal(places.admit("a"), true);
    places.add(guest, "a");
  }
  assert.equal(places.admit("a"), false);
  assert.equal(places.admit("b"), true);
  places.remove(mine[0] ?? assert.fail());
  assert.equal(places.admit("a"), true);
});

test("an address that has all that it may have makes room by its own", () => {
  const places = createPlaces(4, () => 0);
  const other = guestOf(0);
  places.add(other, "b");
  const mine = [guestOf(5), guestOf(6), guestOf(undefined)];
  for (const guest of mine) places.add(guest, "a");
  assert.equal(places.admit("a"), true);
  assert.deepEqual([other.closed, ...mine.map(({ closed }) => closed)], [false, true, false, false]);
});

test("a flood of connections costs few looks at all of them", () => {
  let clock = 0;
  const places = createPlaces(1000, () => clock);
  let looks = 0;
  for (let i = 0; i < 1000; i++) {
    const idleSince = (): undefined => {
      looks++;
    };
    places.add({ ...guestOf(undefined), idleSince }, `${i}`);
  }
  for (let i = 0; i < 1000; i++) assert.equal(places.admit("x"), false);
  assert.equal(looks, 1000);
  clock = 1000;
  assert.equal(places.admit("x"), false);
  assert.equal(looks, 2000);
});

test("never more than the most, never one that is in use, whatever happens", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("come" as const), address: fc.constantFrom("a", "b", "c") }),
    fc.record({ kind: fc.constant("leave" as const), which: fc.nat() }),
    fc.record({ kind: fc.constantFrom("speak" as const, "rest" as const), which: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step, { maxLength: 60 }), (most, steps) => {
      let clock = 0;
      const places = createPlaces(most, () => clock);
      const there: { guest: Made; address: string }[] = [];
      for (const one of steps) {
        clock += 1000;
        const open = there.filter(({ guest }) => !guest.closed);
        const chosen = "which" in one ? open[one.which % Math.max(1, open.length)]?.guest : undefined;
        if (one.kind === "come") {
          const wereIdle = open.filter(({ guest }) => guest.since !== undefined).map(({ guest }) => guest);
          if (places.admit(one.address)) {
            const closed = wereIdle.filter((guest) => guest.closed);
            assert.ok(
              open.every(({ guest }) => !guest.closed || guest.since !== undefined),
              "one in use was closed",
            );
            assert.ok(closed.length <= 1);
            const guest = guestOf(clock);
            places.add(guest, one.address);
            there.push({ guest, address: one.address });
          } else {
            const mine = open.filter(({ address }) => address === one.address).length;
            assert.ok(open.length >= most || mine >= Math.ceil((most * 3) / 4));
          }
        } else if (chosen !== undefined && one.kind === "leave") {
          chosen.closed = true;
          places.remove(chosen);
        } else if (chosen !== undefined) chosen.since = one.kind === "speak" ? undefined : clock;
        const left = there.filter(({ guest }) => !guest.closed);
        assert.equal(places.size(), left.length);
        assert.ok(left.length <= most);
      }
    }),
  );
});
