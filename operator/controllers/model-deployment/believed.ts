/**
 * A status as far as it can be true. Anybody may have edited it, and a restore may have brought half of an older one back: what cannot be,
 * beside the objects that there are, is left out or put right before anything follows from it. What the operator has written itself is
 * believed to the letter. Pure.
 */
import { isDeepStrictEqual } from "node:util";
import { LAST_EPOCH } from "../../../contract/epoch.ts";
import type { Condition, ModelDeploymentStatus, RevisionStatus, Traffic } from "../../api/v1alpha1/index.ts";
import { FIRST_PORT, PORTS } from "../../domain/traffic/port.ts";
import { believedRollout } from "./believed-rollout.ts";
import { readyOf, routedPort } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";
import { invalidity } from "./roles.ts";

/** The same observation where everything in its status can be. */
export const believed = (observed: Observed, now: number): Observed => {
  const { spec, status = LOST } = observed.modelDeployment;
  if (invalidity(spec) !== undefined) return observed;
  const { conditions, rollout, stable, traffic } = status;
  const serving = stable === undefined ? lastPromoted(observed) : believedStable(observed, stable);
  const { rollout: _, ...beside }: ModelDeploymentStatus = {
    ...status,
    ...(conditions === undefined ? {} : { conditions: conditions.map((one) => notAfter(one, now)) }),
    ...(traffic === undefined ? {} : { traffic: believedTraffic(observed, traffic, now) }),
    ...(serving === undefined ? {} : { stable: serving }),
  };
  const told = believedRollout(withStatus(observed, { ...beside, rollout: rollout ?? {} }), rollout ?? {}, now);
  const { stable: __, ...without } = beside;
  // who serves is found out by more than the marks, unless a rollout goes on that nothing told of
  const isLost = stable === undefined && (told.revision === undefined || told.revision === rollout?.revision);
  const isTold = rollout !== undefined || told.revision !== undefined;
  const possible = { ...(isLost ? without : beside), ...(isTold ? { rollout: told } : {}) };
  return isDeepStrictEqual(possible, status) ? observed : { ...withStatus(observed, possible), isDoubted: true };
};

const LOST: ModelDeploymentStatus = { observedGeneration: -1 };

/** Where the status was lost; undefined: none is marked. */
const lastPromoted = ({ revisions }: Observed): RevisionStatus | undefined => {
  const last = byPromotion(revisions)[0];
  return last?.promoted === undefined
    ? undefined
    : { revision: last.name, executionProvider: "", replicas: 0, ready: 0 };
};

const byPromotion = (revisions: readonly Revision[]): Revision[] =>
  revisions.toSorted((one, other) => (other.promoted ?? 0) - (one.promoted ?? 0));

const withStatus = (observed: Observed, status: ModelDeploymentStatus): Observed => ({
  ...observed,
  modelDeployment: { ...observed.modelDeployment, status },
});

/** A time that is still to come would hold up what follows from it until then. */
const notAfter = (condition: Condition, now: number): Condition =>
  Date.parse(condition.lastTransitionTime) <= now
    ? condition
    : { ...condition, lastTransitionTime: new Date(now).toISOString() };

/**
 * A promotion is one write of the status, and its mark on the ControllerRevision follows: a revision without a pod that is ready was not
 * promoted after the one of the last mark, while that one serves.
 */
const believedStable = (observed: Observed, told: RevisionStatus): RevisionStatus => {
  const { revisions } = observed;
  const named = revisions.find(({ name }) => name === told.revision);
  const last = byPromotion(revisions)[0];
  const isMarked = last?.promoted !== undefined && last !== named;
  if (named === undefined || !isMarked || readyOf(observed, named) > 0 || readyOf(observed, last) === 0) return told;
  return { ...told, revision: last.name };
};

/** Tables may have followed each other faster than the seconds that their epochs begin with. */
const AHEAD_SECONDS = 86_400;

/** What the routers do not take, or made nobody, is no table: its weights are nobody's, and the next one is later than any that they have. */
const believedTraffic = (observed: Observed, { epoch, port, routes }: Traffic, now: number): Traffic => {
  const created = Date.parse(observed.modelDeployment.metadata.creationTimestamp ?? "") || 0;
  const isOurs = port >= FIRST_PORT && port < FIRST_PORT + PORTS;
  const isWhole = routes.reduce((sum, { weight }) => sum + weight, 0) === 100;
  const isEpoch = epoch >= Math.max(1, Math.floor(created / 1000)) && epoch < LAST_EPOCH;
  return {
    epoch: isEpoch ? epoch : Math.floor(now / 1000) + AHEAD_SECONDS,
    port: isOurs ? port : (routedPort(observed) ?? port),
    routes: isWhole && isEpoch ? routes : [],
  };
};
