/** The life of a ModelDeployment: observe → plan → execute → status. */
import {
  ACTION_ANNOTATION,
  API_VERSION,
  DEFAULT_MAX_WAIT,
  KIND,
  MODEL_DEPLOYMENTS,
  MODEL_ROLLOUTS,
  type ModelDeploymentStatus,
  minReplicasOf,
  parseDuration,
} from "../api/v1alpha1/index.ts";
import { FIELD_MANAGER } from "../apply/actions.ts";
import type { EventRecorder } from "../controller/events.ts";
import type { Reconcile, Result } from "../controller/result.ts";
import type { Client } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../kube/resources.ts";
import { fits } from "../placement/fits.ts";
import { rivalOf } from "../placement/rival.ts";
import type { Survey } from "../placement/survey.ts";
import type { Observation, Observer } from "../rollout/observer.ts";
import { stepsFor } from "../rollout/steps.ts";
import { isAcknowledged } from "../traffic/acknowledged.ts";
import type { AskRouters } from "../traffic/routers.ts";
import type { RenderSettings } from "./children/pod-template.ts";
import { recordTransitions } from "./events.ts";
import { execute } from "./execute.ts";
import { explain, givenUp, patience } from "./explain/explain.ts";
import { type AskProgress, createFetchWatch, fetchingOf } from "./fetching.ts";
import { isAvailable, lacksRoom, startMsOf } from "./findings.ts";
import { type Observed, observe, type Stores } from "./observe.ts";
import { createPace, createRestorePace } from "./pace.ts";
import { plan } from "./plan.ts";
import { commandFor, isDone, memoryOf, nextName, ordersOf, refusalOf } from "./record.ts";
import { isRepair } from "./repair.ts";
import { type Roles, rolesOf } from "./roles.ts";
import { promoted, statusOf } from "./status.ts";
import { subjectOf } from "./subject.ts";
import { type Acknowledged, mustAsk } from "./traffic.ts";
import {
  advance,
  analysisOf,
  planned,
  swapDeadlineOf,
  type Trial,
  trialDeadlineOf,
  trialOf,
  waitsForRoom,
  writtenWeight,
} from "./trial.ts";

export type Dependencies = {
  client: Client;
  stores: Stores;
  settings: RenderSettings;
  /** Its pods may reach the admin ports of all models. */
  operatorNamespace: string;
  /** Milliseconds since 1970. */
  clock: () => number;
  events: EventRecorder;
  askProgress: AskProgress;
  askRouters: AskRouters;
  observer: Observer;
  survey: Survey;
};

/** The cache hears of a deletion within milliseconds, if nothing holds its watch up. */
const GONE_MS = 1_000;
/** A survey that failed; nothing else would bring the pass in which it succeeds. */
const SURVEY_AGAIN_MS = 15_000;
/** The rate of requests is taken over some seconds. */
const RATE_MS = 5_500;
/** No watch tells when what is in our way goes: a stranger's object has none of our labels, a quota is not watched. */
const LOOK_AGAIN_MS = { stranger: 30_000, refused: 30_000, leaving: 1_000 } as const;

export const modelDeploymentController = ({
  client,
  stores,
  settings,
  operatorNamespace,
  clock,
  events,
  askProgress,
  askRouters,
  observer,
  survey,
}: Dependencies): Reconcile => {
  const pace = createPace();
  const restores = createRestorePace();
  const fetches = createFetchWatch(askProgress);
  return async (key, { log, signal }): Promise<Result> => {
    const observed = observe(stores, key);
    if (observed === undefined) {
      pace.forget(key);
      restores.forget(key);
      await fetches.look(key, undefined, 0);
      await observer.look(key, undefined, 0);
      return {};
    }
    const now = clock();

    const roles = rolesOf(observed, settings);
    const beginning = trialOf(observed, roles, (revision) => nextName(observed, revision));
    const acknowledged = await acknowledgement(askRouters, observed, roles, beginning);
    const {
      trial,
      observation,
      againAfterMs: untilEvidence,
    } = await judge(observer, survey, observed, beginning, acknowledged, now);
    const circumstances = { operatorNamespace, acknowledged, trial, evidence: observation };
    const { actions, promote, againAfterMs } = plan(observed, roles, circumstances, now);
    if (isRepair(observed, actions) && !(await isStillThere(client, observed, signal))) {
      return { requeueAfterMs: GONE_MS };
    }
    const { due, againAfterMs: untilRestore } = restores.due(key, actions, now);
    const obstacle = await execute(client, observed.owner, due, signal);
    restores.done(key, due, now);

    const newest = roles.candidate ?? roles.stable;
    const fetching = await fetches.look(key, newest && fetchingOf(observed, newest), now);
    const isShort = newest !== undefined && lacksRoom(observed, newest);
    const rooms = isShort ? (await survey(now))?.rooms : undefined;
    const asked = { fetch: fetching.progress, rooms, trial, evidence: observation?.words };
    const status = statusOf(observed, promote ? promoted(roles) : roles, obstacle, now, asked);
    // A revision that is being stored, or whose Deployment is, is told of in the next pass, which sees what came of it.
    const isBeginning = due.some(({ verb, resource }) => verb === "create" && isFirst(resource));
    const isDue = !isBeginning || obstacle !== undefined;
    const wait = isDue ? pace.wait(key, observed.modelDeployment.status, status, now) : undefined;
    if (isDue && wait === 0) {
      await writeStatus(client, observed, status, signal);
      pace.wrote(key, now);
      recordTransitions(events, observed.modelDeployment, status);
    }
    // only once the status says what they have led to: a command must not be lost with the operator
    if (wait === undefined || wait === 0) await answerOrders(client, observed, trial, events, signal);
    if (obstacle !== undefined) log.warn({ obstacle }, "something is in the way");
    const suspicion = newest && patience(subjectOf(observed, newest, now));
    const pacing = wait === 0 ? undefined : wait;
    const unsurveyed = isShort && rooms === undefined ? SURVEY_AGAIN_MS : undefined;
    const hindered = obstacle && LOOK_AGAIN_MS[obstacle.kind];
    return after(
      againAfterMs,
      untilEvidence,
      suspicion,
      pacing,
      fetching.againAfterMs,
      untilRestore,
      unsurveyed,
      hindered,
    );
  };
};

/** Whether the routers follow the table of the status, where something waits for that. */
const acknowledgement = async (
  ask: AskRouters,
  observed: Observed,
  roles: Roles,
  trial: Trial | undefined,
): Promise<Acknowledged> => {
  const table = observed.modelDeployment.status?.traffic;
  if (table === undefined || !mustAsk(observed, roles, trial?.state.phase === "shifting")) return undefined;
  return isAcknowledged(await ask(observed.owner), table);
};

/** Takes the candidate's trial one step on, by what the routers have counted and what its pods do. */
const judge = async (
  observer: Observer,
  survey: Survey,
  observed: Observed,
  before: Trial | undefined,
  acknowledged: Acknowledged,
  now: number,
): Promise<{ trial: Trial | undefined; observation?: Observation | undefined; againAfterMs?: number | undefined }> => {
  const { owner } = observed;
  const weight = before && writtenWeight(observed, before);
  const stable = observed.modelDeployment.status?.stable?.revision;
  const isTried = before !== undefined && stable !== undefined && weight !== undefined;
  const observation = await observer.look(
    owner,
    isTried ? { stable, weight, canary: before.revision.name, ...analysisOf(before) } : undefined,
    now,
    before && memoryOf(observed, before),
  );
  if (before === undefined) return { trial: undefined };
  const rate = before.steps === undefined ? await observer.rate(owner, now) : undefined;
  const steps = before.steps ?? (rate === undefined ? undefined : stepsFor(rate, before.settings.minMs));
  const begun = { ...before, steps };
  const isCramped = waitsForRoom(begun, observed);
  const ready =
    begun.capacity === undefined || isCramped
      ? planned(begun, observed, await situationOf(survey, observed, begun, now), now)
      : begun;
  const subject = subjectOf(observed, before.revision, now);
  const swapDeadline = swapDeadlineOf(ready, observed);
  const isOverdue = now >= Math.min(trialDeadlineOf(ready, observed), swapDeadline ?? Number.POSITIVE_INFINITY);
  const isUnready = !isAvailable(observed, before.revision);
  const known = explain(subject);
  const cause = isUnready && isOverdue ? givenUp(known) : known;
  const findings = {
    ...{ acknowledged, cause, isOverdue: isUnready && isOverdue },
    verdict: observation?.verdict,
    isSplitRight: observation?.isSplitRight ?? true,
    command: commandFor(observed, before),
  };
  const trial = advance(ready, observed, findings, now);
  const waits = [
    observation?.againAfterMs ?? (steps === undefined ? RATE_MS : undefined),
    isCramped ? SURVEY_AGAIN_MS : undefined,
    swapDeadline === undefined ? undefined : Math.max(1, swapDeadline - now),
  ].filter((wait) => wait !== undefined);
  return { trial, observation, againAfterMs: waits.length === 0 ? undefined : Math.min(...waits) };
};

/** What is known of the room for a canary's pods, when it begins. */
const situationOf = async (survey: Survey, observed: Observed, { revision, settings }: Trial, now: number) => {
  const { owner, modelDeployment } = observed;
  const { spec } = revision.template;
  const surveyed = settings.capacity === "surge" ? undefined : await survey(now);
  const serving = observed.revisions.find(({ name }) => name === modelDeployment.status?.stable?.revision);
  const replicas = minReplicasOf(modelDeployment.spec);
  return {
    fits: surveyed === undefined || spec === undefined ? undefined : fits(surveyed.rooms, spec, replicas),
    rival: surveyed === undefined || spec === undefined ? undefined : rivalOf(surveyed, spec, owner),
    startMs: serving && startMsOf(observed, serving),
    maxWaitMs: parseDuration(modelDeployment.spec.traffic?.queue?.maxWait ?? DEFAULT_MAX_WAIT),
  };
};

/** Takes the commands off that are done, or cannot be followed: that is told by an event. */
const answerOrders = async (
  client: Client,
  observed: Observed,
  trial: Trial | undefined,
  events: EventRecorder,
  signal: AbortSignal,
): Promise<void> => {
  for (const order of ordersOf(observed)) {
    if (!isDone(order, trial)) continue;
    const refusal = refusalOf(order, trial);
    if (refusal !== undefined) events.event(order.record, "Warning", "CommandRefused", "Command", refusal);
    else events.event(order.record, "Normal", "CommandDone", "Command", `${order.word}: done`);
    const { name, namespace = "", uid = "" } = order.record.metadata;
    const metadata = { name, namespace, uid, annotations: { [ACTION_ANNOTATION]: null } };
    await client.patch(MODEL_ROLLOUTS, { metadata }, { fieldManager: FIELD_MANAGER, signal });
  }
};

const isFirst = (resource: Resource<KubeObject>): boolean =>
  resource.kind === CONTROLLER_REVISIONS.kind || resource.kind === DEPLOYMENTS.kind;

/** The very object that was observed, and nobody has asked for it to go. */
const isStillThere = async (client: Client, { owner }: Observed, signal: AbortSignal): Promise<boolean> => {
  try {
    const { metadata } = await client.get(MODEL_DEPLOYMENTS, owner, signal);
    return metadata.uid === owner.uid && metadata.deletionTimestamp === undefined;
  } catch (error) {
    if (error instanceof KubeError && error.kind === "notFound") return false;
    throw error;
  }
};

/** Bound to the version that it was decided on: if the spec or the roles have changed since, observe again. */
const writeStatus = async (
  client: Client,
  observed: Observed,
  status: ModelDeploymentStatus,
  signal: AbortSignal,
): Promise<void> => {
  const { resourceVersion } = observed.modelDeployment.metadata;
  const { name, namespace, uid } = observed.owner;
  const object = {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name, namespace, uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    status,
  };
  await client.apply(MODEL_DEPLOYMENTS, object, { fieldManager: FIELD_MANAGER, subresource: "status", signal });
};

const after = (...waits: (number | undefined)[]): Result => {
  const given = waits.filter((wait) => wait !== undefined);
  return given.length === 0 ? {} : { requeueAfterMs: Math.min(...given) };
};
