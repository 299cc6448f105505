/** What a router needs of a ModelDeployment. */
import { z } from "zod";
import { parseDuration } from "../../../contract/duration.ts";
import { MOST_TOLERANCES, toleranceOf, toleranceSchema } from "../../../contract/tolerance.ts";
import type { Settings } from "../model-router.ts";

export type Wanted = {
  settings: Settings;
  /** `status.traffic`, unread: the router keeps its last table where this is none. */
  table: unknown;
  /** Where the router listens for it; undefined: nowhere yet. */
  port: number | undefined;
};

const DEFAULTS = { maxRequests: 1000, maxWaitMs: 60_000, requestTimeoutMs: 30_000, streamIdleMs: 300_000 };

/** What the API server writes where there is no status yet. */
const UNSEEN = -1;

const tolerancesSchema = z.array(toleranceSchema).max(MOST_TOLERANCES);

const schema = z.object({
  spec: z.object({
    server: z.object({ requestTimeout: z.string().optional() }).optional(),
    traffic: z
      .object({
        queue: z.object({ maxRequests: z.int().min(0).optional(), maxWait: z.string().optional() }).optional(),
        streamIdleTimeout: z.string().optional(),
      })
      .optional(),
    scaling: z.object({ minReplicas: z.int().optional() }).optional(),
    rollout: z
      .object({
        analysis: z.object({ outputs: z.object({ tolerances: tolerancesSchema.optional() }).optional() }).optional(),
      })
      .optional(),
  }),
  status: z
    .object({
      observedGeneration: z.number().optional(),
      conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string() })).optional(),
      traffic: z.looseObject({ port: z.int().min(1).max(65_535).optional() }).optional(),
    })
    .optional(),
});

/**
 * Undefined for one that has no routes to follow, or not any more. One whose status was lost (a restore from a backup) is what it was
 * `before`, until the operator has seen it again.
 */
export const decodeModelDeployment = (object: unknown, before?: Wanted): Wanted | undefined => {
  const { spec, status } = schema.parse(object);
  if ((status?.observedGeneration ?? UNSEEN) === UNSEEN) return before;
  if (status?.traffic === undefined) return undefined;
  const { maxRequests, maxWait } = spec.traffic?.queue ?? {};
  const tolerances = spec.rollout?.analysis?.outputs?.tolerances ?? [];
  const ms = (text: string | undefined, fallback: number): number =>
    text === undefined ? fallback : parseDuration(text);
  return {
    settings: {
      maxRequests: maxRequests ?? DEFAULTS.maxRequests,
      maxWaitMs: ms(maxWait, DEFAULTS.maxWaitMs),
      requestTimeoutMs: ms(spec.server?.requestTimeout, DEFAULTS.requestTimeoutMs),
      streamIdleMs: ms(spec.traffic?.streamIdleTimeout, DEFAULTS.streamIdleMs),
      wakes: spec.scaling?.minReplicas === 0,
      shortage: status.conditions?.find((one) => one.type === "CapacityAvailable" && one.status === "False")?.message,
      tolerances: new Map(tolerances.map((one) => [one.output, toleranceOf(one)])),
    },
    table: status.traffic,
    port: status.traffic.port,
  };
};
