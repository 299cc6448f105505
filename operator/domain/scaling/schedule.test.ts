import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Entry, floorAt, parseSchedule, type Schedule } from "./schedule.ts";
import { scalingSettings } from "./settings.ts";

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

  it("holds what was due last of the entries that a skipped hour brings at once", () => {
    const nightly = (...entries: [cron: string, minReplicas: number, timeZone?: string][]) =>
      parseSchedule(
        entries.map(([cron, minReplicas, timeZone = "Europe/Berlin"]) => ({ cron, timeZone, minReplicas })),
      );
    const floors = (schedule: Schedule) =>
      ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-03-29T23:00:00Z"].map(
        (text) => floorAt(schedule, Date.parse(text)).floor,
      );
    // from 2:00 the clock goes to 3:00
    assert.deepEqual(floors(nightly(["10 2 * * *", 5], ["0 3 * * *", 0])), [0, 0, 0]);
    assert.deepEqual(floors(nightly(["0 3 * * *", 0], ["10 2 * * *", 5])), [0, 0, 0]);
    assert.deepEqual(floors(nightly(["10 2 * * *", 5], ["50 2 * * *", 1])), [1, 1, 1]);
    assert.deepEqual(floors(nightly(["10 2 * * *", 5], ["0 1 * * *", 2, "UTC"])), [5, 2, 2]);
    // half an hour, from 2:00 to 2:30
    const turn = Date.parse("2026-10-03T15:30:00Z");
    const howe = nightly(["15 2 * * *", 5, "Australia/Lord_Howe"], ["30 2 * * *", 1, "Australia/Lord_Howe"]);
    assert.deepEqual([floorAt(howe, turn - 1).floor, floorAt(howe, turn).floor], [1, 1]);
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

  it("is refused where it never comes, and where no number of pods follows from it, with the field", () => {
    const refused = (spec: Parameters<typeof scalingSettings>[0]) =>
      assert.throws.bind(assert, () => scalingSettings(spec));
    const schedule = (cron: string) => [{ cron, minReplicas: 1 }];
    const scaling = { minReplicas: 1, maxReplicas: 3 };
    for (const cron of ["0 0 31 2,4,6,9,11 *", "0 0 30 2 *"])
      refused({ scaling: { ...scaling, schedule: schedule(cron) } })(/scaling\.schedule\[0\]\.cron: .* never matches/);
    const fixed = /scaling\.schedule: needs a range of pods/;
    refused({ scaling: { minReplicas: 2, schedule: schedule("0 8 * * *") } })(fixed);
    refused({ scaling: { minReplicas: 2, maxReplicas: 2, schedule: schedule("0 8 * * *") } })(fixed);
    refused({ scaling: { minReplicas: 2, schedule: schedule("99 99 99 99 99") } })(/scaling\.schedule\[0\]\.cron/);
    assert.equal(scalingSettings({ scaling: { minReplicas: 2, schedule: [] } }), undefined);
    assert.equal(scalingSettings({ scaling: { minReplicas: 0, schedule: schedule("0 8 * * *") } })?.schedule.length, 1);
  });

  it("changes when it says, holds until then, and is parsed once", () => {
    const entry = fc.record({
      cron: fc.constantFrom(
        "30 2 * * *",
        "*/20 1-3 * * *",
        "0 0 29 2 *",
        "0 3 L * *",
        "15 2 * * SUN",
        "0 12 * 1-3 1#1",
      ),
      timeZone: fc.constantFrom("Europe/Berlin", "UTC", "America/New_York", "Australia/Lord_Howe"),
      minReplicas: fc.integer({ min: 0, max: 9 }),
    });
    const near = fc.constantFrom("2026-03-29T01:00Z", "2026-10-25T01:00Z", "2026-11-01T06:00Z", "2028-02-29T00:00Z");
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 5 }),
        near,
        fc.integer({ min: -300, max: 300 }),
        (entries, turn, minutes) => {
          const schedule = parseSchedule(entries);
          assert.equal(parseSchedule(structuredClone(entries)), schedule);
          const now = Date.parse(turn) + minutes * 60_000;
          const { floor, until } = floorAt(schedule, now);
          assert.ok(until > now);
          if (until === Number.POSITIVE_INFINITY) return;
          const between = now + Math.floor((until - 1 - now) / 2);
          assert.deepEqual(
            [floorAt(schedule, between), floorAt(schedule, until - 1)],
            [
              { floor, until },
              { floor, until },
            ],
          );
          assert.ok(schedule.some(({ minReplicas }) => minReplicas === floorAt(schedule, until).floor));
        },
      ),
    );
  });

  it("costs little at the most that the API server takes", () => {
    const crons = [
      "0 0 29 2 *",
      "0 0 * 2 1#5",
      `${Array(50).fill("0").join(",")} 0 * 2 1#5`,
      "59 23 31 12 *",
      "* * * * *",
    ];
    const entries = fc.array(
      fc.record({
        cron: fc.constantFrom(...crons),
        timeZone: fc.constantFrom("Europe/Berlin", "America/New_York"),
        minReplicas: fc.constant(1),
      }),
      { minLength: 32, maxLength: 32 },
    );
    fc.assert(
      fc.property(
        entries,
        fc.date({ min: new Date("2020-01-01"), max: new Date("2060-01-01"), noInvalidDate: true }),
        (all: Entry[], now) => {
          let [months, looks] = [0, 0];
          const counted: Schedule = parseSchedule(all).map(({ cron, zone, minReplicas }) => ({
            minReplicas,
            cron: {
              ...cron,
              days: (month) => {
                months += 1;
                return cron.days(month);
              },
            },
            zone: (at) => {
              looks += 1;
              return zone(at);
            },
          }));
          floorAt(counted, now.getTime());
          // a look is microseconds: 32 entries × 41 months each way, 32 × the turns of a clock
          assert.ok(months <= 32 * 82 && looks <= 32 * 60, `${months} months, ${looks} looks`);
        },
      ),
      { numRuns: 50 },
    );
  });
});
