import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { momentOf, wallAt, type Zone, zoneOf } from "./time-zone.ts";

const MINUTE = 60_000;
const inWords = (time: number) => new Date(time).toISOString().slice(0, 16);
const wall = (zone: string, at: string) => inWords(wallAt(zoneOf(zone), Date.parse(`${at}:00Z`)));
const moment = (zone: string, at: string) => inWords(momentOf(zoneOf(zone), Date.parse(`${at}:00Z`)));

describe("a time zone", () => {
  it("is ahead of UTC by so much, in winter and in summer", () => {
    assert.equal(wall("Europe/Berlin", "2026-01-15T12:00"), "2026-01-15T13:00");
    assert.equal(wall("europe/berlin", "2026-07-15T12:00"), "2026-07-15T14:00");
    assert.equal(moment("Asia/Kathmandu", "2026-07-15T12:00"), "2026-07-15T06:15");
    assert.equal(moment("UTC", "2026-07-15T12:00"), "2026-07-15T12:00");
    assert.throws(() => zoneOf("Mars/Olympus"));
  });

  it("has a skipped hour's times when it ends, and a repeated hour's times once", () => {
    assert.equal(moment("Europe/Berlin", "2026-03-29T02:30"), "2026-03-29T01:00");
    assert.equal(moment("Europe/Berlin", "2026-10-25T02:30"), "2026-10-25T00:30");
    assert.equal(wall("Europe/Berlin", "2026-10-25T01:15"), "2026-10-25T02:59");
    assert.equal(wall("Europe/Berlin", "2026-10-25T02:00"), "2026-10-25T03:00");
    assert.equal(moment("Europe/Berlin", "2026-10-25T03:00"), "2026-10-25T02:00");
  });

  it("shows each time first at its moment, around all turns of its clocks", () => {
    const zones = ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"];
    const turns = fc.constantFrom("2026-03-29T01:00Z", "2026-10-25T01:00Z", "2026-11-01T04:30Z", "2026-04-04T15:00Z");
    const minutes = fc.integer({ min: -600, max: 600 });
    fc.assert(
      fc.property(fc.constantFrom(...zones), turns, minutes, (name, turn, minute) => {
        const zone: Zone = zoneOf(name);
        const shown = Date.parse(turn) + zone(Date.parse(turn)) + minute * MINUTE;
        const first = momentOf(zone, shown);
        assert.ok(wallAt(zone, first) >= shown);
        assert.ok(wallAt(zone, first - MINUTE) < shown);
      }),
    );
  });

  it("costs a bounded number of looks at the time zone's rules", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("Europe/Berlin", "Australia/Lord_Howe"),
        fc.integer({ min: 0, max: 4e12 }),
        (name, at) => {
          let looks = 0;
          const counted: Zone = (time) => {
            looks += 1;
            return zoneOf(name)(time);
          };
          momentOf(counted, wallAt(counted, at));
          assert.ok(looks <= 30, `${looks}`);
        },
      ),
    );
  });
});
