/** Times at which there are to be more pods. Pure, but for what croner knows of time zones. */
import { Cron } from "croner";

export type Entry = { cron: string; timeZone?: string | undefined; minReplicas: number };

export type Schedule = readonly { cron: Cron; minReplicas: number }[];

/** Throws with the field and what is wrong with it. */
export const parseSchedule = (entries: readonly Entry[]): Schedule =>
  entries.map(({ cron, minReplicas, timeZone = "UTC" }, i) => {
    try {
      new Intl.DateTimeFormat("en", { timeZone });
    } catch {
      throw new Error(`scaling.schedule[${i}].timeZone: "${timeZone}" is none; use a name such as Europe/Berlin`);
    }
    try {
      return { cron: new Cron(cron, { timezone: timeZone, mode: "5-part", paused: true }), minReplicas };
    } catch (error) {
      throw new Error(`scaling.schedule[${i}].cron: ${error instanceof Error ? error.message : String(error)}`);
    }
  });

/**
 * The floor at `now` (ms since 1970): that of the entry that began last, and 0 where none has begun. `until`: when another begins.
 */
export const floorAt = (schedule: Schedule, now: number): { floor: number; until: number } => {
  // the entry of this very minute has begun with it
  const at = new Date(now + 1);
  const begun = schedule.flatMap(({ cron, minReplicas }) => {
    const [last] = cron.previousRuns(1, at);
    return last === undefined ? [] : [{ minReplicas, last: last.getTime() }];
  });
  const latest = begun.toSorted((one, other) => other.last - one.last || other.minReplicas - one.minReplicas)[0];
  const next = schedule.map(({ cron }) => cron.nextRun(new Date(now))?.getTime() ?? Number.POSITIVE_INFINITY);
  return { floor: latest?.minReplicas ?? 0, until: Math.min(Number.POSITIVE_INFINITY, ...next) };
};
