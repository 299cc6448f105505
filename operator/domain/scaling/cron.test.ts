import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cron as Croner } from "croner";
import fc from "fast-check";
import { type Cron, lastTime, nextTime, parseCron } from "./cron.ts";

const at = (text: string) => Date.parse(`${text}:00Z`);
const inWords = (time: number | undefined) => time && new Date(time).toISOString().slice(0, 16);
const after = (pattern: string, text: string) => inWords(nextTime(parseCron(pattern), at(text)));
const before = (pattern: string, text: string) => inWords(lastTime(parseCron(pattern), at(text)));

const item = (least: number, most: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.integer({ min: least, max: most }).map(String),
    fc.tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most })).map((range) => {
      const [from, to] = range.toSorted((one, other) => one - other);
      return `${from}-${to}`;
    }),
    fc.integer({ min: 1, max: Math.min(12, most) }).map((step) => `*/${step}`),
    fc.integer({ min: 2, max: 5 }).map((step) => `${least}-${most}/${step}`),
  );
const field = (least: number, most: number, ...others: string[]): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constant("*"),
    fc
      .array(others.length === 0 ? item(least, most) : fc.oneof(item(least, most), fc.constantFrom(...others)), {
        ...{ minLength: 1, maxLength: 3 },
      })
      .map((items) => items.join(",")),
  );
const patterns = fc
  .tuple(
    field(0, 59),
    field(0, 23),
    field(1, 31, "L"),
    field(1, 12, "FEB", "jun-AUG"),
    field(0, 7, "MON#2", "FRIL", "5#5"),
  )
  .map((fields) => fields.join(" "));
const times = fc.date({ min: new Date("1995-01-01"), max: new Date("2095-01-01"), noInvalidDate: true });

describe("a cron pattern", () => {
  it("names the same times as croner does", () => {
    let compared = 0;
    fc.assert(
      fc.property(patterns, times, (pattern, time) => {
        let cron: Cron;
        try {
          cron = parseCron(pattern);
        } catch (error) {
          assert.match(String(error), /never matches/);
          return;
        }
        const other = new Croner(pattern, { timezone: "UTC", mode: "5-part", paused: true });
        assert.equal(nextTime(cron, time.getTime()), other.nextRun(time)?.getTime());
        const [last] = other.previousRuns(1, new Date(time.getTime() + 1));
        assert.equal(lastTime(cron, time.getTime()), last?.getTime());
        compared += 1;
      }),
      { numRuns: 1000 },
    );
    assert.ok(compared > 500);
  });

  it("knows leap days, last days, and days that a month has only now and then", () => {
    assert.equal(after("0 0 29 2 *", "2026-11-28T12:00"), "2028-02-29T00:00");
    assert.equal(after("0 0 29 2 *", "2096-11-28T12:00"), "2104-02-29T00:00");
    assert.equal(before("0 0 29 2 *", "2026-11-28T12:00"), "2024-02-29T00:00");
    assert.equal(after("0 0 31 * *", "2026-03-31T00:00"), "2026-05-31T00:00");
    assert.equal(after("30 6 L 2 ?", "2026-11-28T12:00"), "2027-02-28T06:30");
    assert.equal(after("0 0 * 2 MON#5", "2026-11-28T12:00"), "2044-02-29T00:00");
    assert.equal(before("0 0 * 2 MON#5", "2026-11-28T12:00"), "2016-02-29T00:00");
  });

  it("holds the minute that has begun, and not the one after it", () => {
    assert.equal(before("0 8 * * *", "2026-11-28T08:00"), "2026-11-28T08:00");
    assert.equal(after("0 8 * * *", "2026-11-28T08:00"), "2026-11-29T08:00");
    assert.equal(inWords(lastTime(parseCron("0 8 * * *"), at("2026-11-28T08:00") - 1)), "2026-11-27T08:00");
  });

  it("is refused where it can never come, and where it is none", () => {
    const refusal = (pattern: string): string => {
      try {
        parseCron(pattern);
        return "";
      } catch (error) {
        return error instanceof Error ? error.message : "";
      }
    };
    for (const pattern of [
      ...["0 0 31 2,4,6,9,11 *", "0 0 30 2 *", "0 0 30,31 FEB *", "0 0 30-31 2 ?", "59 23 31 4-4,6 *"],
    ])
      assert.match(refusal(pattern), /never matches/, pattern);
    // either day is enough
    assert.equal(refusal("0 0 31 2 MON"), "");
    assert.equal(refusal("0 0 29 2 *"), "");
    for (const [pattern, field] of [
      ["60 8 * * *", "minute"],
      ["0 24 * * *", "hour"],
      ["0 8 0 * *", "day of the month"],
      ["0 8 15W * *", "day of the month"],
      ["0 8 * 13 *", "month"],
      ["0 8 * * 8", "day of the week"],
      ["0 8 * * FUN", "day of the week"],
      ["0 8 * * 1#6", "day of the week"],
      ["0 8-6 * * *", "hour"],
      ["*/0 8 * * *", "minute"],
      ["5/10 8 * * *", "minute"],
      ["1, 8 * * *", "minute"],
      ["99 99 99 99 99", "minute"],
    ] as const)
      assert.match(refusal(pattern), new RegExp(`is not a ${field}:`), pattern);
    assert.match(refusal("0 0 8 * * *"), /five fields/);
  });

  it("is found with a bounded number of steps, whatever it is", () => {
    const looks = (pattern: string, of: (cron: Cron) => unknown): number => {
      const cron = parseCron(pattern);
      let months = 0;
      of({
        ...cron,
        days: (month) => {
          months += 1;
          return cron.days(month);
        },
      });
      return months;
    };
    const rare = fc.constantFrom("0 0 29 2 *", "0 0 * 2 1#5", "59 23 31 12 *", "0 0 * 2 0#5,1#5", "* * * * *");
    fc.assert(
      fc.property(fc.oneof(patterns, rare), times, (pattern, time) => {
        fc.pre(isPattern(pattern));
        assert.ok(looks(pattern, (cron) => nextTime(cron, time.getTime())) <= 41);
        assert.ok(looks(pattern, (cron) => lastTime(cron, time.getTime())) <= 41);
      }),
    );
  });
});

const isPattern = (pattern: string): boolean => {
  try {
    return parseCron(pattern).months.size > 0;
  } catch {
    return false;
  }
};
