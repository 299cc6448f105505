import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { floorAt, parseSchedule } from "./schedule.ts";

describe("a schedule", () => {
  const office = parseSchedule([
    { cron: "0 8 * * 1-5", timeZone: "Europe/Berlin", minReplicas: 3 },
    { cron: "0 20 * * 1-5", timeZone: "Europe/Berlin", minReplicas: 0 },
  ]);
  const at = (text: string) => floorAt(office, Date.parse(text));

  it("holds what the entry says that began last, in its time zone", () => {
    assert.equal(at("2026-11-25T06:59:59Z").floor, 0);
    assert.equal(at("2026-11-25T07:00:00Z").floor, 3); // 8 o'clock in winter
    assert.equal(at("2026-07-22T06:00:00Z").floor, 3); // and in summer
    assert.equal(at("2026-11-25T19:00:00Z").floor, 0);
    assert.equal(at("2026-11-28T12:00:00Z").floor, 0); // a Saturday, after Friday's evening
  });

  it("tells when it changes next", () => {
    assert.equal(new Date(at("2026-11-25T12:00:00Z").until).toISOString(), "2026-11-25T19:00:00.000Z");
    assert.equal(floorAt([], 0).until, Number.POSITIVE_INFINITY);
  });

  it("names the field that is wrong", () => {
    assert.throws(() => parseSchedule([{ cron: "0 25 * * *", minReplicas: 1 }]), /scaling\.schedule\[0\]\.cron/);
    assert.throws(
      () => parseSchedule([{ cron: "0 8 * * *", timeZone: "Mars/Olympus", minReplicas: 1 }]),
      /scaling\.schedule\[0\]\.timeZone: "Mars\/Olympus"/,
    );
  });
});
