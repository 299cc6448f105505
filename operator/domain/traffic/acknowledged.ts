/** Whether the routers follow a table. Pure. */
import type { Traffic } from "../../api/v1alpha1/index.ts";

/** What a ready router says of one ModelDeployment; undefined: nothing, or the router did not answer. */
export type Report = { epoch: number; port?: number | undefined } | undefined;

/** A router is never the only one: with one, its pod's end would be an outage. */
export const LEAST_ROUTERS = 2;

/** Of all ready routers, each follows this table or a later one, and listens where it says. */
export const isAcknowledged = (reports: readonly Report[], { epoch, port }: Traffic): boolean =>
  reports.length >= LEAST_ROUTERS &&
  reports.every((report) => report !== undefined && report.epoch >= epoch && report.port === port);
