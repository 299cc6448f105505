/** How requests reach a ModelDeployment's pods: directly, or by the routing table that the routers follow. Pure. */
import { isRoutedBySpec, serviceName, type Traffic } from "../../api/v1alpha1/index.ts";
import { portFor } from "../../domain/traffic/port.ts";
import { nextTraffic, type Routes } from "../../domain/traffic/table.ts";
import { switchedAtOf, type Target } from "./children/service.ts";
import { deploymentOf, named, routedPort } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";

/** Whether the routers follow the table that the status has; undefined: they were not asked. */
export type Acknowledged = boolean | undefined;

/**
 * Clients' connections to a router end at the age of 5 minutes, give or take a tenth, with the next answer. Until then the
 * routers must know where requests go, though the Service sends new connections elsewhere.
 */
export const LEAVING_MS = 360_000;

export const wantsRouter = ({ modelDeployment }: Observed): boolean => isRoutedBySpec(modelDeployment.spec);

/** Something goes on only when the routers are there, and follow: whatever is in their way is in its way. */
export const waitsForRouter = (
  observed: Observed,
  acknowledged: Acknowledged,
  trial: { steps?: unknown } | undefined,
): boolean =>
  wantsRouter(observed) &&
  (routedPort(observed) === undefined || acknowledged === false || (trial !== undefined && trial.steps === undefined));

/** The routers must be asked: something waits for them to follow the table. */
export const mustAsk = (observed: Observed, { superseded }: Roles, isShifting: boolean): boolean => {
  const traffic = observed.modelDeployment.status?.traffic;
  if (traffic === undefined) return false;
  const port = routedPort(observed);
  if (port === undefined) return wantsRouter(observed);
  return (
    isShifting || port !== traffic.port || superseded.some((revision) => deploymentOf(observed, revision) !== undefined)
  );
};

/** Where the clients' Service is to send requests. It goes to the routers only once they follow the table. */
export const targetOf = (observed: Observed, serving: Revision, acknowledged: Acknowledged): Target => {
  const direct: Target = { to: "revision", revision: serving.name };
  const port = routedPort(observed);
  const table = observed.modelDeployment.status?.traffic;
  if (!wantsRouter(observed)) return direct;
  // a table that was lost is made anew, and until then the routers go by the last one
  if (table !== undefined && acknowledged === true) return { to: "router", port: table.port };
  return port === undefined ? direct : { to: "router", port };
};

/** A canary's share of the requests, and of those that it gets a copy of, in percent. `isAlone`: stable is to get none, nor to help out. */
export type Share = { revision: string; weight: number; shadow: number; isAlone: boolean };

/**
 * The table that the status is to have; undefined: none, and no router follows one. `stable` serves once this status is written. `ahead`: see
 * `nextTraffic`.
 */
export const trafficOf = (
  observed: Observed,
  stable: Revision | undefined,
  canary: Share | undefined,
  now: number,
  ahead?: number,
): Traffic | undefined => {
  const { modelDeployment, neighbours } = observed;
  const before = modelDeployment.status?.traffic;
  if (stable === undefined || (!wantsRouter(observed) && !isLeaving(observed, now))) return undefined;
  const { creationTimestamp: createdAt = "", uid = "" } = modelDeployment.metadata;
  const port = portFor({ uid, createdAt, port: before?.port }, neighbours);
  return nextTraffic(before, port, routesOf(stable, canary), now, ahead);
};

const routesOf = ({ name: revision }: Revision, canary: Share | undefined): Routes =>
  canary === undefined
    ? [{ revision, role: "stable", weight: 100 }]
    : canary.isAlone
      ? [{ revision: canary.revision, role: "canary", weight: 100 }]
      : [
          { revision, role: "stable", weight: 100 - canary.weight },
          {
            revision: canary.revision,
            role: "canary",
            weight: canary.weight,
            ...(canary.shadow === 0 ? {} : { shadow: canary.shadow }),
          },
        ];

/** When the last client has left the routers (ms since 1970); undefined where none is to leave. */
export const leftAt = (observed: Observed): number | undefined => {
  const { modelDeployment, owner, services } = observed;
  if (wantsRouter(observed) || modelDeployment.status?.traffic === undefined) return undefined;
  const client = named(services, serviceName(owner.name));
  return ((client && switchedAtOf(client)) ?? 0) + LEAVING_MS;
};

/**
 * Until when (ms since 1970) clients may still reach the pods past the routers, on connections that they had before the Service was switched to
 * those; undefined where none can, or the Service is not switched.
 */
export const strayUntil = (observed: Observed): number | undefined => {
  const client = named(observed.services, serviceName(observed.owner.name));
  const switched = client && routedPort(observed) !== undefined ? switchedAtOf(client) : undefined;
  return switched === undefined ? undefined : switched + LEAVING_MS;
};

const isLeaving = (observed: Observed, now: number): boolean =>
  routedPort(observed) !== undefined || now < (leftAt(observed) ?? 0);
