/** RFC 9110, 10.2.3: seconds, or a date. Pure. */

/** Milliseconds to wait; undefined where it says nothing that can be read. @param now milliseconds since 1970, by the clock that a date is of */
export const parseRetryAfter = (value: string | undefined, now: number): number | undefined => {
  const text = (value ?? "").trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // the three forms of a date begin with the name of a day
  const at = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)
    ? Date.parse(/GMT$/.test(text) ? text : `${text} GMT`)
    : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
};
