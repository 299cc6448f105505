/** Between moments and what a wall clock shows. Milliseconds since 1970, and as if the wall clock showed UTC. */

/** By how much the wall clock is ahead of UTC at a moment, in milliseconds. */
export type Zone = (at: number) => number;

/** A formatter is large, and a tenant may use each name that there is: names are shared, and the oldest forgotten. */
const MOST_ZONES = 512;
const zones = new Map<string, Zone>();

/** Throws on a name that is none. */
export const zoneOf = (name: string): Zone => {
  const key = name.toLowerCase();
  const known = zones.get(key);
  if (known !== undefined) return known;
  const zone = createZone(name);
  zones.set(key, zone);
  const [oldest] = zones.keys();
  if (zones.size > MOST_ZONES && oldest !== undefined) zones.delete(oldest);
  return zone;
};

const createZone = (timeZone: string): Zone => {
  const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
  const format = new Intl.DateTimeFormat("en-US", { ...parts, second: "numeric", timeZone, hourCycle: "h23" });
  if (timeZone.toUpperCase() === "UTC") return () => 0;
  return (at) => {
    const shown = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const of = (part: Intl.DateTimeFormatPartTypes) => shown.get(part) ?? 0;
    const wall = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
    return wall - Math.floor(at / 1000) * 1000;
  };
};

/** Clocks go back by less than this. */
const BACK_MS = 3 * 3_600_000;
const DAY_MS = 86_400_000;

/** The latest time that the wall clock has shown by then: in an hour that comes twice, the whole hour. */
export const wallAt = (zone: Zone, at: number): number => {
  const [before, now] = [zone(at - BACK_MS), zone(at)];
  return before <= now ? at + now : Math.max(at + now, turnOf(zone, at - BACK_MS, at) + before - 1);
};

/** The first moment at which the wall clock shows this time, or a later one: an hour that is skipped is over at once. */
export const momentOf = (zone: Zone, wall: number): number => {
  const offsets = [zone(wall - DAY_MS), zone(wall + DAY_MS)];
  const [early, late] = [wall - Math.max(...offsets), wall - Math.min(...offsets)];
  if (early === late || early + zone(early) === wall) return early;
  return late + zone(late) === wall ? late : turnOf(zone, early, late);
};

/** The first minute after `from` with another offset than it has; there is one by `to`. */
const turnOf = (zone: Zone, from: number, to: number): number => {
  const offset = zone(from);
  let [before, after] = [Math.floor(from / 60_000), Math.ceil(to / 60_000)];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (zone(middle * 60_000) === offset) before = middle;
    else after = middle;
  }
  return after * 60_000;
};
