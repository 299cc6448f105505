/** Cron patterns of five fields, and the wall-clock times that they name. Pure. Times are milliseconds, as if the wall clock showed UTC. */

export type Month = {
  /** Days that it has. */
  length: number;
  /** The weekday of its first day; 0 is Sunday. */
  first: number;
};

export type Cron = {
  minutes: readonly number[];
  hours: readonly number[];
  /** 1 to 12. */
  months: ReadonlySet<number>;
  /** Days of such a month on which it comes, the first first. */
  days(month: Month): readonly number[];
};

type Field = { name: string; least: number; most: number; words?: readonly string[] };

const MINUTE: Field = { name: "minute", least: 0, most: 59 };
const HOUR: Field = { name: "hour", least: 0, most: 23 };
const DAY: Field = { name: "day of the month", least: 1, most: 31 };
const MONTH: Field = {
  ...{ name: "month", least: 1, most: 12 },
  words: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
/** 7 is Sunday, too. */
const WEEKDAY: Field = {
  ...{ name: "day of the week", least: 0, most: 7 },
  words: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

/** Throws with the field that is wrong, and with a pattern whose day no month has. */
export const parseCron = (pattern: string): Cron => {
  const fields = pattern.trim().split(/ +/);
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields;
  if (fields.length !== 5) throw new Error(`"${pattern}": must have five fields, such as 0 8 * * 1-5`);
  const [minutes, hours] = [valuesOf(MINUTE, minute), valuesOf(HOUR, hour)];
  const days = daysOf(day.toUpperCase(), weekday.toUpperCase());
  const months = new Set(valuesOf(MONTH, month.toUpperCase()));
  if (!comesIn(months, days)) {
    throw new Error(
      `"${pattern}": never matches, because none of these months has such a day; correct the day or the month`,
    );
  }
  return { minutes, hours, months, days };
};

/** As in cron: where both days are restricted, either is enough. */
const daysOf = (day: string, weekday: string): Cron["days"] => {
  const isDate = datesOf(day);
  const isWeekday = weekdaysOf(weekday);
  const isAny = (field: string) => field === "*" || field === "?";
  return (month) => {
    const days = Array.from({ length: month.length }, (_, i) => i + 1);
    if (isAny(day) || isAny(weekday)) return days.filter((one) => isDate(one, month) && isWeekday(one, month));
    return days.filter((one) => isDate(one, month) || isWeekday(one, month));
  };
};

type IsDay = (day: number, month: Month) => boolean;

/** `L` is the last day. */
const datesOf = (list: string): IsDay => {
  const items = list.split(",");
  const days = new Set(items.filter((item) => item !== "L").flatMap((item) => itemValues(DAY, item)));
  const hasLast = items.includes("L");
  return (day, { length }) => days.has(day) || (hasLast && day === length);
};

const EACH = [1, 2, 3, 4, 5];
const LAST = 0;

/** `1-5`, `FRI#2` (the second of the month), `FRIL` (the last). */
const weekdaysOf = (list: string): IsDay => {
  const occurrences = Array.from({ length: 7 }, () => new Set<number>());
  for (const item of list.split(",")) {
    const [, plain = item, nth, last] = /^(.+?)(?:#([1-5])|(L))$/.exec(item) ?? [];
    const which = last !== undefined ? [LAST] : nth !== undefined ? [Number(nth)] : EACH;
    for (const weekday of itemValues(WEEKDAY, plain)) for (const one of which) occurrences[weekday % 7]?.add(one);
  }
  return (day, { first, length }) => {
    const which = occurrences[(first + day - 1) % 7];
    return which !== undefined && (which.has(Math.ceil(day / 7)) || (which.has(LAST) && day > length - 7));
  };
};

const valuesOf = (field: Field, list: string): number[] => {
  const values = new Set(list.split(",").flatMap((item) => itemValues(field, item)));
  return [...values].toSorted((one, other) => one - other);
};

/** Of one item of a list: `*`, `5`, `1-5`, or the first or last of these with a step, such as `0-30/10`. */
const itemValues = (field: Field, item: string): number[] => {
  const [, range = "", step] = /^([^/]+)(?:\/([0-9]{1,2}))?$/.exec(item) ?? [];
  const [, from, to] = /^([0-9A-Z]+)(?:-([0-9A-Z]+))?$/.exec(range) ?? [];
  const isAll = range === "*" || range === "?";
  const every = Number(step ?? 1);
  const first = isAll ? field.least : numberOf(field, from ?? "");
  const last = isAll ? field.most : to === undefined ? first : endOf(field, to);
  const isRange = isAll || to !== undefined;
  if (first === undefined || last === undefined || last < first || every < 1 || (step !== undefined && !isRange)) {
    const names = field.words === undefined ? "" : `, or names such as ${field.words[1]}`;
    throw new Error(
      `"${item}" is not a ${field.name}: use * or numbers from ${field.least} to ${field.most}${names}, lists (1,2), ranges (1-5) and steps (*/2)`,
    );
  }
  return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, i) => first + i * every);
};

/** A range of weekdays may end with Sunday. */
const endOf = (field: Field, text: string): number | undefined =>
  field === WEEKDAY && text === "SUN" ? 7 : numberOf(field, text);

const numberOf = ({ least, most, words = [] }: Field, text: string): number | undefined => {
  const word = words.indexOf(text);
  const number = word >= 0 ? least + word : /^[0-9]{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
};

const LENGTHS: readonly (readonly number[])[] = [
  ...[[31], [28, 29], [31], [30], [31], [30], [31], [31], [30], [31], [30], [31]],
];

/** In 400 years each month begins with each weekday, a long February too. */
const comesIn = (months: ReadonlySet<number>, days: Cron["days"]): boolean =>
  [...months].some((month) =>
    (LENGTHS[month - 1] ?? []).some((length) =>
      Array.from({ length: 7 }, (_, first) => first).some((first) => days({ length, first }).length > 0),
    ),
  );

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A 29th of February that is a certain weekday comes after 40 years at the latest. */
const MOST_MONTHS = 41 * 12;

/** The first time after `wall`; undefined for none within 41 years. */
export const nextTime = (cron: Cron, wall: number): number | undefined => {
  const from = Math.floor(wall / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  for (const { days, midnight } of monthsFrom(cron, from, 1)) {
    for (const day of days) {
      const at = midnight + (day - 1) * DAY_MS;
      const minute = at + DAY_MS <= from ? undefined : timesOf(cron, (from - at) / MINUTE_MS, 1);
      if (minute !== undefined) return at + minute * MINUTE_MS;
    }
  }
  return undefined;
};

/** The last time up to `wall`; undefined for none within 41 years. */
export const lastTime = (cron: Cron, wall: number): number | undefined => {
  for (const { days, midnight } of monthsFrom(cron, wall, -1)) {
    for (const day of days.toReversed()) {
      const at = midnight + (day - 1) * DAY_MS;
      const minute = at > wall ? undefined : timesOf(cron, Math.floor((wall - at) / MINUTE_MS), -1);
      if (minute !== undefined) return at + minute * MINUTE_MS;
    }
  }
  return undefined;
};

/** The minute of the day nearest to `from`, at it or to its side. */
const timesOf = ({ hours, minutes }: Cron, from: number, side: 1 | -1): number | undefined => {
  const isBeyond = (time: number) => (side === 1 ? time >= from : time <= from);
  const hour = side === 1 ? hours.find((one) => one * 60 + 59 >= from) : hours.findLast((one) => one * 60 <= from);
  if (hour === undefined) return undefined;
  const pick = <T>(list: readonly T[], test: (one: T) => boolean) =>
    side === 1 ? list.find(test) : list.findLast(test);
  const minute = pick(minutes, (one) => isBeyond(hour * 60 + one));
  if (minute !== undefined) return hour * 60 + minute;
  const other = pick(hours, (one) => (side === 1 ? one > hour : one < hour));
  const end = side === 1 ? minutes[0] : minutes.at(-1);
  return other === undefined || end === undefined ? undefined : other * 60 + end;
};

/** The months in which it may come, from that of `wall` on. */
function* monthsFrom(cron: Cron, wall: number, side: 1 | -1): Generator<{ midnight: number; days: readonly number[] }> {
  const start = new Date(wall);
  for (let i = 0; i < MOST_MONTHS; i++) {
    const midnight = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + i * side);
    const first = new Date(midnight);
    if (!cron.months.has(first.getUTCMonth() + 1)) continue;
    const length = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
    yield { midnight, days: cron.days({ length, first: first.getUTCDay() }) };
  }
}
