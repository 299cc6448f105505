/** The routing table of one ModelDeployment, as its `status.traffic` has it. Pure. */
import { z } from "zod";
import { LAST_EPOCH } from "../../contract/epoch.ts";

const route = z.object({
  revision: z.string().min(1),
  role: z.enum(["stable", "canary"]),
  /** Percent of the requests. */
  weight: z.number().min(0).max(100),
  /** Percent of the requests that stable answers, of which the canary gets a copy. */
  shadow: z.number().min(0).max(100).default(0),
});

const table = z
  .object({
    /** Grows with each table that the operator writes. */
    epoch: z.int().min(1).max(LAST_EPOCH),
    routes: z.array(route).max(2),
  })
  .refine(({ routes }) => new Set(routes.map(({ role }) => role)).size === routes.length, {
    message: "routes: each role once",
    path: ["routes"],
  })
  .refine(({ routes }) => routes.length === 0 || sumOf(routes) === 100, {
    message: "routes: the weights must add up to 100",
    path: ["routes"],
  });

const sumOf = (routes: readonly { weight: number }[]): number => {
  const sum = routes.reduce((total, { weight }) => total + weight, 0);
  // 0.1 and its like are no binary fractions.
  return Math.round(sum * 1e6) / 1e6;
};

export type Route = z.infer<typeof route>;
export type Table = z.infer<typeof table>;

export type Refusal = { refused: "invalid" | "empty" | "older"; message: string };

/**
 * The table to go by, once `offered` has come, which may be anything. A table is never taken away: with an API server that has
 * lost its status, or a cache that is behind, traffic goes on where it went.
 */
export const nextTable = (current: Table | undefined, offered: unknown): Table | Refusal => {
  const parsed = table.safeParse(offered);
  if (!parsed.success) return { refused: "invalid", message: z.prettifyError(parsed.error) };
  const { epoch, routes } = parsed.data;
  if (routes.length === 0) return { refused: "empty", message: `the table of epoch ${epoch} has no routes` };
  if (current !== undefined && epoch < current.epoch && current.epoch < LAST_EPOCH) {
    return { refused: "older", message: `the table is of epoch ${epoch}, and epoch ${current.epoch} is in use` };
  }
  // What has been acknowledged under an epoch does not change under it.
  return current?.epoch === epoch ? current : parsed.data;
};
