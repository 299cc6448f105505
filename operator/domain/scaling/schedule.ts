/** Times at which there are to be more pods. Pure, but for what Intl knows of time zones. */
import { type Cron, lastTime, nextTime, parseCron } from "./cron.ts";
import { momentOf, wallAt, type Zone, zoneOf } from "./time-zone.ts";

export type Entry = { cron: string; timeZone?: string | undefined; minReplicas: number };

export type Schedule = readonly { cron: Cron; zone: Zone; minReplicas: number }[];

/** A pass asks twice, and nothing changes until the spec does: the schedules that were parsed last. */
const MOST_PARSED = 512;
const parsed = new Map<string, Schedule>();

/** Throws with the field and what is wrong with it. */
export const parseSchedule = (entries: readonly Entry[]): Schedule => {
  const key = JSON.stringify(entries);
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const schedule = entries.map(parseEntry);
  parsed.set(key, schedule);
  const [oldest] = parsed.keys();
  if (parsed.size > MOST_PARSED && oldest !== undefined) parsed.delete(oldest);
  return schedule;
};

const parseEntry = ({ cron, minReplicas, timeZone = "UTC" }: Entry, i: number): Schedule[number] => {
  const zone = parse(`scaling.schedule[${i}].timeZone`, () => zoneOf(timeZone), zoneProblem(timeZone));
  return { cron: parse(`scaling.schedule[${i}].cron`, () => parseCron(cron)), zone, minReplicas };
};

const zoneProblem = (name: string): string => `"${name}" is not a time zone; use a name such as Europe/Berlin`;

const parse = <T>(field: string, of: () => T, problem?: string): T => {
  try {
    return of();
  } catch (error) {
    throw new Error(`${field}: ${problem ?? (error instanceof Error ? error.message : String(error))}`);
  }
};

/**
 * The floor at `now` (ms since 1970): that of the entry that began last, and 0 where none has begun. `until`: when another begins.
 */
export const floorAt = (schedule: Schedule, now: number): { floor: number; until: number } => {
  const never = Number.NEGATIVE_INFINITY;
  let [floor, latest, latestDue, until] = [0, never, never, Number.POSITIVE_INFINITY];
  for (const { cron, minReplicas, zone } of schedule) {
    const wall = wallAt(zone, now);
    const [last, next] = [lastTime(cron, wall), nextTime(cron, wall)];
    const begun = last === undefined ? never : momentOf(zone, last);
    // times that a clock skips all begin at its turn: in the order in which they were due
    const due = last === undefined ? never : last - zone(begun);
    const isLater = begun > latest || (begun === latest && due > latestDue);
    if (isLater || (begun === latest && due === latestDue && minReplicas > floor))
      [floor, latest, latestDue] = [minReplicas, begun, due];
    if (next !== undefined) until = Math.min(until, momentOf(zone, next));
  }
  return { floor, until };
};
