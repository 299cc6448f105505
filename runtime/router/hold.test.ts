import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createHold, isBefore, type Place, type Waiting } from "./hold.ts";

describe("the hold", () => {
  it("has the oldest first, also where it comes back after younger ones", () => {
    const hold = createHold<string>();
    const first = hold.enter({ since: 1, order: 1 }, 10, "first");
    hold.enter({ since: 2, order: 2 }, 20, "second");
    hold.leave(first);
    assert.deepEqual([hold.oldest()?.who, hold.size(), hold.bytes()], ["second", 1, 20]);
    hold.enter(first.place, 10, "first");
    assert.equal(hold.oldest()?.who, "first");
  });

  it("whatever comes and goes: the oldest of those who are there is the first, nobody is lost, nobody stays", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("enter" as const), since: fc.nat(20), bytes: fc.nat(100) }),
      fc.record({ kind: fc.constant("first" as const) }),
      fc.record({ kind: fc.constant("any" as const), at: fc.nat(1000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const hold = createHold<number>();
        let here: Waiting<number>[] = [];
        steps.forEach((one, order) => {
          const gone =
            one.kind === "first" ? hold.oldest() : one.kind === "any" ? here[one.at % here.length] : undefined;
          if (one.kind === "enter") here.push(hold.enter({ since: one.since, order }, one.bytes, order));
          if (gone !== undefined) hold.leave(gone);
          // a second time changes nothing
          if (gone !== undefined) hold.leave(gone);
          here = here.filter((each) => each !== gone);
          const oldest = here.reduce<Waiting<number> | undefined>(
            (least, each) => (least === undefined || isBefore(each.place, least.place) ? each : least),
            undefined,
          );
          assert.equal(hold.oldest(), oldest);
          assert.equal(hold.size(), here.length);
          assert.equal(
            hold.bytes(),
            here.reduce((sum, { bytes }) => sum + bytes, 0),
          );
        });
      }),
    );
  });

  it("looks at few of those who wait, however many there are", () => {
    let looks = 0;
    const place = (since: number): Place => ({
      get since() {
        looks++;
        return since;
      },
      order: since,
    });
    const hold = createHold<number>();
    const all = Array.from({ length: 100_000 }, (_, i) => hold.enter(place(i), 1, i));
    for (const one of all) hold.leave(one);
    assert.equal(hold.size(), 0);
    // some 34 steps for each, in and out, of four looks at most; to look at all would be 10^10
    assert.ok(looks < 100_000 * 200, `${looks} looks`);
  });
});
