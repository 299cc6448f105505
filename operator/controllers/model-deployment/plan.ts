/**
 * From what is observed to what is to be done now. Pure. Each step is taken only when the step before it
 * is observed to be done, so that a crash between any two writes changes nothing in the end.
 */
import { batchingName, isScaled, REVISION_LABEL, serviceName } from "../../api/v1alpha1/index.ts";
import {
  type Action,
  create,
  ensure,
  isEdited,
  remove,
  restoreTemplate,
  SCALING_FIELD_MANAGER,
} from "../../apply/actions.ts";
import { signed } from "../../apply/signature.ts";
import { isLost, isOver, revisionOf } from "../../domain/pods/pods.ts";
import type { ConfigMap, KubeObject } from "../../platform/kube/objects.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  POD_DISRUPTION_BUDGETS,
  SERVICES,
} from "../../platform/kube/resources.ts";
import { controllerRevision } from "./children/controller-revision.ts";
import { deployment, deploymentReplicas } from "./children/deployment.ts";
import { revisionService, service, switchedAtOf, type Target } from "./children/service.ts";
import { type EndedIn, endBatching } from "./ended-batching.ts";
import {
  availableOf,
  deadlineOf,
  deploymentOf,
  isAvailable,
  isComingBack,
  isReachable,
  isServing,
  lacksClaims,
  named,
  routedPort,
  wantedOf,
} from "./findings.ts";
import type { GivingBack } from "./giving-back.ts";
import { markActions } from "./marks.ts";
import type { Observed } from "./observed.ts";
import { pinActions } from "./pin.ts";
import { budgetActions, policyActions } from "./protection.ts";
import { type Evidence, recordActions } from "./record.ts";
import { rejectionsOf } from "./rejections.ts";
import { restorable, withRestart } from "./restart.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";
import { type Acknowledged, leftAt, targetOf } from "./traffic.ts";
import type { Trial } from "./trial.ts";

/** The old revision serves on for so long after the Service was switched: by then every node knows of it. */
const RETIREMENT_MS = 10_000;
/** Superseded revisions that are kept, so that going back to one finds its pin and its very template. */
const KEPT_REVISIONS = 3;
export type Plan = {
  actions: Action[];
  /** It is stable from the next status write on: the candidate, which has all of its pods, or one that answers where stable does not. */
  promoted?: Revision;
  /** Look again after this time, though nothing may have changed by then. */
  againAfterMs?: number;
};

/** What the caches do not hold. */
export type Circumstances = {
  operatorNamespace: string;
  acknowledged: Acknowledged;
  /** The candidate's, where it takes over step by step. */
  trial?: Trial | undefined;
  /** A revision that another one is wanted instead of, and that stable has yet to take over from. */
  givingBack?: GivingBack | undefined;
  evidence?: Evidence | undefined;
  endedIn: EndedIn;
};

/** The routers are asked again; a table reaches them within some ten milliseconds. */
const ASK_AGAIN_MS = 500;
/** Nothing tells that pods have had long enough to come back. */
const START_AGAIN_MS = 5_000;

export const plan = (
  observed: Observed,
  roles: Roles,
  { acknowledged, endedIn, evidence = {}, givingBack, operatorNamespace, trial }: Circumstances,
  now: number,
): Plan => {
  const { candidate, restorable, stable, unrecorded } = roles;
  const toStore = [...restorable, ...(unrecorded === undefined ? [] : [unrecorded])];
  const chosen = stable ?? candidate;
  const serving = chosen !== undefined && deploymentOf(observed, chosen) !== undefined ? chosen : undefined;
  const retirement = retire(observed, roles, acknowledged, givingBack, now);
  const deadline = candidate === undefined ? undefined : deadlineOf(observed, candidate);
  const left = leftAt(observed);
  const mayRun =
    candidate !== undefined &&
    (givingBack === undefined || (givingBack.revision === candidate && !givingBack.isLeaving)) &&
    mayStart(observed, roles, candidate, now) &&
    (givingBack !== undefined || mayStartBeside(observed, roles, candidate, trial, now));
  const waits = [
    retirement.againAfterMs,
    deadline === undefined ? undefined : deadline - now,
    left === undefined ? undefined : left - now,
    acknowledged === false ? ASK_AGAIN_MS : undefined,
    candidate === undefined || mayRun ? undefined : START_AGAIN_MS,
  ].filter((wait) => wait !== undefined && wait > 0);
  const promoted = promotedBy(observed, roles, trial, givingBack);
  const port = routedPort(observed);
  // clients stay with the routers as long as these split the requests, whatever the spec wants next
  const target = (revision: Revision): Target =>
    givingBack !== undefined && port !== undefined
      ? { to: "router", port }
      : targetOf(observed, revision, acknowledged);
  return {
    actions: [
      ...toStore.map((revision) => create(CONTROLLER_REVISIONS, controllerRevision(observed.owner, revision))),
      ...markActions(observed, stable),
      ...(stable === undefined ? [] : run(observed, stable)),
      ...(candidate !== undefined && mayRun ? run(observed, candidate) : []),
      ...(givingBack !== undefined && givingBack.revision !== candidate ? run(observed, givingBack.revision) : []),
      ...(serving === undefined ? [] : clientService(observed, roles, target(serving), now)),
      ...(serving === undefined ? [] : policyActions(observed, operatorNamespace)),
      ...pinActions(observed),
      ...endBatching(observed, endedIn),
      ...recordActions(
        observed,
        stable?.name ?? "",
        { trial, givingBack, evidence, rejected: roles.rejected?.name },
        now,
      ),
      ...(givingBack?.isLeaving === true ? removed(observed, givingBack.revision) : []),
      ...retirement.actions,
      ...forget(observed, roles),
    ],
    ...(promoted === undefined ? {} : { promoted }),
    ...(waits.length > 0 ? { againAfterMs: Math.min(...waits.map(Number)) } : {}),
  };
};

/** The revision that takes over with this pass. */
const promotedBy = (
  observed: Observed,
  { candidate }: Roles,
  trial: Trial | undefined,
  givingBack: GivingBack | undefined,
): Revision | undefined => {
  if (givingBack !== undefined) return givingBack.isRescue ? givingBack.revision : undefined;
  if (candidate === undefined) return undefined;
  // the pods that it has left of a rollout may be fewer than requests need
  const hasAll = isAvailable(observed, candidate) && availableOf(observed, candidate) >= observed.replicas;
  const takesOver = trial === undefined ? hasAll && isReachable(observed, candidate) : trial.state.phase === "promoted";
  return takesOver ? candidate : undefined;
};

/** What a revision needs that is to have pods: first the pods, which take longest to be there; the rest in the next pass. */
const run = (observed: Observed, revision: Revision): Action[] => [
  ...runDeployment(observed, revision),
  ...(deploymentOf(observed, revision) === undefined ? [] : accompany(observed, revision)),
];

const accompany = (observed: Observed, revision: Revision): Action[] => [
  ...ensure(SERVICES, named(observed.services, revision.name), revisionService(observed.owner, revision.name)),
  ...budgetActions(observed, revision),
];

const runDeployment = (observed: Observed, revision: Revision): Action[] => {
  const intended = withRestart(observed, revision, deployment(observed.owner, revision));
  const existing = deploymentOf(observed, revision);
  const replicas = wantedOf(observed, revision);
  if (existing === undefined) {
    // Without its claims, which an older API server drops, a pod would start without the devices that it was to have.
    const first = revision.template.spec?.resourceClaims === undefined ? replicas : 0;
    const spec = intended.spec === undefined ? {} : { spec: { ...intended.spec, replicas: first } };
    // signed as it is applied, without a number, so that the next pass has nothing to write
    return [create(DEPLOYMENTS, { ...signed(intended), ...spec }, SCALING_FIELD_MANAGER)];
  }
  const scale: Action = {
    verb: "apply",
    resource: DEPLOYMENTS,
    object: deploymentReplicas(existing, replicas),
    manager: SCALING_FIELD_MANAGER,
  };
  const isScaled = existing.spec?.replicas === replicas || lacksClaims(observed, revision);
  return [
    ...(isEdited(existing) ? [restoreTemplate(DEPLOYMENTS, existing, restorable(existing, intended))] : []),
    ...ensure(DEPLOYMENTS, existing, intended),
    ...(isScaled ? [] : [scale]),
  ];
};

/** Without a stable revision the candidate waits until the pods of its predecessor are gone: they may hold its devices. */
const mayStart = ({ pods }: Observed, { stable }: Roles, candidate: Revision, now: number): boolean =>
  stable !== undefined || pods.every((pod) => revisionOf(pod) === candidate.name || isOver(pod) || isLost(pod, now));

/**
 * What fits is checked, and the status says what has come of it, before a pod of a canary is made. Where another rollout was left in the middle
 * of a handover or a swap, stable's own pods come back first.
 */
const mayStartBeside = (
  observed: Observed,
  { stable }: Roles,
  candidate: Revision,
  trial: Trial | undefined,
  now: number,
): boolean => {
  const { capacity, revision } = observed.modelDeployment.status?.rollout ?? {};
  if (trial !== undefined && (capacity === undefined || revision !== trial.revision.name)) return false;
  const isNew = deploymentOf(observed, candidate) === undefined;
  return !isNew || stable === undefined || !isComingBack(observed, stable, now);
};

/** The time of a switch is written with it, so that whoever looks next knows for how long the old pods must serve on. */
const clientService = (observed: Observed, { superseded }: Roles, target: Target, now: number): Action[] => {
  const { owner, services } = observed;
  const existing = named(services, serviceName(owner.name));
  // clients that come now would keep their connections past the routers, which count what the number of pods follows
  if (existing === undefined && target.to === "revision" && isScaled(observed.modelDeployment.spec)) return [];
  const isThere = existing !== undefined && isTarget(observed, target);
  const isSwitch =
    routedPort(observed) !== undefined ||
    (target.to === "router" && existing !== undefined) ||
    superseded.some((revision) => served(revision) && deploymentOf(observed, revision) !== undefined);
  const since = isThere ? switchedAtOf(existing) : undefined;
  const at = since ?? (isSwitch && !isThere ? now : undefined);
  return ensure(SERVICES, existing, service(owner, target, at, observed.modelDeployment.spec.service));
};

const isTarget = (observed: Observed, target: Target): boolean =>
  target.to === "router" ? routedPort(observed) === target.port : isServing(observed, { name: target.revision });

/** Of one without a record nobody knows. */
const served = ({ isUnrecorded, promoted }: Revision): boolean => isUnrecorded === true || promoted !== undefined;

/**
 * Takes the pods of superseded revisions away: at once if they never served beside a stable one, else a
 * while after the Service was switched to stable, or when the routers have said that they send them nothing any more.
 */
const retire = (
  observed: Observed,
  { stable, superseded }: Roles,
  acknowledged: Acknowledged,
  givingBack: GivingBack | undefined,
  now: number,
): Pick<Plan, "actions" | "againAfterMs"> => {
  const client = named(observed.services, serviceName(observed.owner.name));
  const isRouted = routedPort(observed) !== undefined;
  const isSwitched = stable !== undefined && (isRouted ? acknowledged === true : isServing(observed, stable));
  // routers say that they go elsewhere by now; nodes do not
  const wait = isRouted ? 0 : ((client && switchedAtOf(client)) ?? now) + RETIREMENT_MS - now;
  const held = (revision: Revision): boolean =>
    revision === givingBack?.revision ||
    // a router may send requests to any revision that has pods
    (stable !== undefined && (isRouted ? !isSwitched : served(revision) && (!isSwitched || wait > 0)));
  const actions = superseded.filter((revision) => !held(revision)).flatMap((revision) => removed(observed, revision));
  const isWaiting = isSwitched && superseded.some((each) => held(each) && deploymentOf(observed, each) !== undefined);
  return { actions, ...(isWaiting ? { againAfterMs: wait } : {}) };
};

const removed = (observed: Observed, revision: Revision): Action[] => {
  const existing = deploymentOf(observed, revision);
  return existing === undefined ? [] : remove(DEPLOYMENTS, existing);
};

/** Deletes what superseded revisions without pods leave behind: what belongs to pods, and all of it beyond the last few and the rejected ones. */
const forget = (observed: Observed, { superseded }: Roles): Action[] => {
  const idle = superseded.filter((revision) => deploymentOf(observed, revision) === undefined);
  const byAge = idle.toSorted((one, other) => (other.promoted ?? 0) - (one.promoted ?? 0) || other.number - one.number);
  const isRejected = ({ name }: Revision): boolean => rejectionsOf(observed).some(({ revision }) => revision === name);
  const old = byAge.slice(KEPT_REVISIONS).filter((revision) => !isRejected(revision));
  const existing = <T extends KubeObject>(objects: T[], revisions: Revision[]) =>
    revisions.flatMap(({ name }) => named(objects, name) ?? []);
  return [
    ...forgetUnknown(observed),
    ...existing(observed.services, idle).flatMap((object) => remove(SERVICES, object)),
    ...existing(observed.disruptionBudgets, idle).flatMap((object) => remove(POD_DISRUPTION_BUDGETS, object)),
    ...existing(observed.configMaps, old).flatMap((object) => remove(CONFIG_MAPS, object)),
    ...endedOf(observed, old).flatMap((object) => remove(CONFIG_MAPS, object)),
    ...existing(observed.controllerRevisions, old).flatMap((object) => remove(CONTROLLER_REVISIONS, object)),
  ];
};

/** What tells that batching has ended in these. */
const endedOf = ({ configMaps }: Observed, revisions: readonly { name: string }[]): ConfigMap[] =>
  revisions.flatMap(({ name }) => named(configMaps, batchingName(name)) ?? []);

/** What is left of revisions that have neither a record nor a Deployment. A pin outlives them for a while, as those of superseded ones do. */
const forgetUnknown = ({
  configMaps,
  controllerRevisions,
  disruptionBudgets,
  modelDeployment,
  revisions,
  services,
}: Observed): Action[] => {
  const { canary, stable } = modelDeployment.status ?? {};
  const known = new Set([
    ...[...revisions, ...controllerRevisions.map(({ metadata }) => metadata)].map(({ name }) => name),
    ...[stable, canary].flatMap((one) => one?.revision ?? []),
  ]);
  const isLeft = ({ metadata: { labels, name } }: KubeObject): boolean =>
    labels?.[REVISION_LABEL] === name && !known.has(name);
  const madeAt = ({ metadata }: KubeObject): number => Date.parse(metadata.creationTimestamp ?? "") || 0;
  const pins = configMaps.filter(isLeft).toSorted((one, other) => madeAt(other) - madeAt(one));
  const kept = new Set([...known, ...pins.slice(0, KEPT_REVISIONS).map(({ metadata }) => metadata.name)]);
  const isEnded = ({ metadata: { labels, name } }: KubeObject): boolean => {
    const revision = labels?.[REVISION_LABEL];
    return revision !== undefined && name === batchingName(revision) && !kept.has(revision);
  };
  return [
    ...services.filter(isLeft).flatMap((object) => remove(SERVICES, object)),
    ...disruptionBudgets.filter(isLeft).flatMap((object) => remove(POD_DISRUPTION_BUDGETS, object)),
    ...pins.slice(KEPT_REVISIONS).flatMap((object) => remove(CONFIG_MAPS, object)),
    ...configMaps.filter(isEnded).flatMap((object) => remove(CONFIG_MAPS, object)),
  ];
};
