/** How long a router may take to end its requests. Pure. */
import {
  DEFAULT_MAX_WAIT,
  DEFAULT_REQUEST_TIMEOUT,
  type ModelDeployment,
  parseDuration,
} from "../../api/v1alpha1/index.ts";
import type { Deployment } from "../../platform/kube/objects.ts";

/** On top of the longest hold and the longest request (ms): the time to learn of the drain. */
const MARGIN_MS = 10_000;
/** The shortest that is given (ms); longer ones are it doubled: one user's longer requests seldom replace everybody's routers. */
const LEAST_MS = 120_000;

/** Enough for the longest request of these ModelDeployments, in coarse steps. */
export const drainFor = (users: readonly ModelDeployment[]): number => {
  const needed = Math.max(0, ...users.map(longestRequestMs)) + MARGIN_MS;
  return LEAST_MS * 2 ** Math.max(0, Math.ceil(Math.log2(needed / LEAST_MS)));
};

/** What the routers that are there were given; undefined where there are none, or somebody has changed it. */
export const drainOf = (deployment: Deployment | undefined): number | undefined => {
  const args = deployment?.spec?.template.spec?.containers.find(({ name }) => name === "router")?.args ?? [];
  const given = args[args.indexOf("--drain-timeout") + 1];
  const drainMs = given === undefined ? Number.NaN : msOf(given, "0s");
  return Number.isInteger(Math.log2(drainMs / LEAST_MS)) ? drainMs : undefined;
};

/** The longest hold and then the longest request. */
const longestRequestMs = ({ spec }: ModelDeployment): number =>
  msOf(spec.traffic?.queue?.maxWait, DEFAULT_MAX_WAIT) + msOf(spec.server?.requestTimeout, DEFAULT_REQUEST_TIMEOUT);

/** One that no API server of this version would have let through must not cost the others their router. */
const msOf = (duration: string | undefined, fallback: string): number => {
  try {
    return parseDuration(duration ?? fallback);
  } catch {
    return parseDuration(fallback);
  }
};
