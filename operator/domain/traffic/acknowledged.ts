/** Whether the routers follow a table. Pure. */
import { LAST_EPOCH } from "../../../contract/epoch.ts";
import type { Traffic } from "../../api/v1alpha1/index.ts";

/** What a ready router says of one ModelDeployment; undefined: nothing, or the router did not answer. */
export type Report = { epoch: number; port?: number | undefined } | undefined;

/** A router is never the only one: with one, its pod's end would be an outage. */
export const LEAST_ROUTERS = 2;

/** What a router follows has a place in the order of tables; one of the last epoch is nobody's. */
export const isCounted = (report: Report): report is NonNullable<Report> =>
  report !== undefined && report.epoch < LAST_EPOCH;

/** Of all ready routers, each follows this table or a later one, and listens where it says. */
export const isAcknowledged = (reports: readonly Report[], { epoch, port }: Traffic): boolean =>
  reports.length >= LEAST_ROUTERS &&
  reports.every((report) => isCounted(report) && report.epoch >= epoch && report.port === port);
