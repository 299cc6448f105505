/** Durations and sizes as people write them on a command line. */

/** Go's durations: a sequence of numbers with units ("1h", "1m30s", "250ms"). In milliseconds. */
export const parseDuration = (value: string): number | undefined => {
  const unitMs: Record<string, number> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h))+$/.test(value)) return undefined;
  return [...value.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * (unitMs[unit ?? ""] ?? Number.NaN),
    0,
  );
};

/** Kubernetes' quantities of bytes: "1048576", "64Mi", "2G". */
export const parseSize = (value: string): number | undefined => {
  const match = /^(\d{1,15})(Ki|Mi|Gi|Ti|k|M|G|T)?$/.exec(value);
  if (match === null) return undefined;
  const unit = match[2] ?? "";
  const power = { "": 0, k: 1, K: 1, M: 2, G: 3, T: 4 }[unit.charAt(0)] ?? 0;
  const bytes = Number(match[1]) * (unit.endsWith("i") ? 1024 : 1000) ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
};
