/** Whether what was read back has the form of what is written down: a wrong one would fail in each pass. Pure. */
import { z } from "zod";

/** Sums of logarithms may be infinite. */
const number = z.custom<number>((value) => typeof value === "number" && !Number.isNaN(value));
const count = z.number().min(0);
const name = z.string().max(600);
const floats = z.custom<Float64Array>(
  (value) => value instanceof Float64Array && value.every((one) => !Number.isNaN(one)),
);

const pairs = z.object({ compared: count, disagreed: count });
const losses = z.object({ compared: count, lost: count });
const counted = z.object({ requests: count, errors: count, buckets: z.array(count).max(256) });
const router = z.object({
  id: name,
  startedAt: number,
  revisions: z.record(name, z.record(name, counted)),
  shadow: z.object({
    canary: pairs,
    self: pairs,
    losses: z.object({ canary: losses, self: losses }).optional(),
    failed: count,
    incomparable: count,
    reason: z.string().optional(),
  }),
});

const arm = z.object({ requests: count, errors: count });
const totals = z.object({
  stable: arm,
  canary: arm,
  pairs,
  self: pairs,
  incomparable: z.object({ count, reason: z.string().optional() }),
});

const filter = z.object({ beliefs: floats, logLikelihoods: floats });
const rates = z.array(number).max(64);
const boundaries = z.array(z.object({ edge: z.int().min(0).max(256), filter })).max(64);
const sum = z.object({ sum: number, of: number });

const errors = z.object({
  dispersion: z.object({
    intervals: count,
    excess: z.record(name, number),
    window: z.object({ chance: number, expected: number }),
    total: z.object({ excess: number, chance: number, expected: number }),
  }),
  ...{ harm: filter, safe: filter, harmRate: rates, safeRate: rates },
});

const latency = z.object({
  dispersion: z.object({
    total: z.array(count).max(257),
    sums: z.object({ now: sum, next: sum, far: sum }),
    freedom: number,
    pods: count,
    recent: z.array(z.record(name, z.object({ requests: count, deviation: number }))).max(64),
  }),
  boundaries: z.object({ harm: boundaries, safe: boundaries }).optional(),
});

const course = z
  .array(z.object({ harm: number, safe: number }))
  .max(64)
  .optional();

const kept = z.object({
  canary: z.string(),
  analysis: z.string(),
  begunAt: number,
  counting: z.object({ since: number, known: z.record(name, router) }).optional(),
  countedAt: number,
  evidence: z.object({
    errors: errors.optional(),
    latency: latency.optional(),
    outputs: z
      .object({
        harm: rates,
        safe: rates,
        self: pairs.optional(),
        losses: z.object({ ratio: rates, rate: rates }).optional(),
      })
      .optional(),
    course: z.object({ errors: course, latency: course, outputs: course }),
  }),
  totals,
  step: z.object({ weight: number, totals }),
  perSecond: number,
});

export const isKept = (value: unknown): boolean => kept.safeParse(value).success;
