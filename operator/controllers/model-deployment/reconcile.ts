/** The life of a ModelDeployment: observe → decide → status where requests move → writes → status. */
import { isDeepStrictEqual } from "node:util";
import {
  ACTION_ANNOTATION,
  boundedStatus,
  MODEL_DEPLOYMENTS,
  MODEL_ROLLOUTS,
  type ModelDeploymentStatus,
} from "../../api/v1alpha1/index.ts";
import { FIELD_MANAGER } from "../../apply/actions.ts";
import { gathered, type Obstacle, refusalIn, worstOf } from "../../apply/obstacle.ts";
import { recordContests } from "../../apply/record-contests.ts";
import type { AskRouterNews } from "../../apply/router-news.ts";
import { createWritePace } from "../../apply/write-pace.ts";
import type { Survey } from "../../cluster/capacity/survey.ts";
import type { AskRouters } from "../../cluster/routers/routers.ts";
import { patience } from "../../domain/diagnosis/explain.ts";
import type { Observer } from "../../domain/rollout/observation.ts";
import type { Scaler } from "../../domain/scaling/scale.ts";
import type { EventRecorder } from "../../platform/controller/events.ts";
import type { Reconcile, ReconcileContext, Result } from "../../platform/controller/result.ts";
import type { Client } from "../../platform/kube/client.ts";
import { KubeError } from "../../platform/kube/errors.ts";
import type { KubeObject, ObjectKey, Resource } from "../../platform/kube/objects.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../../platform/kube/resources.ts";
import { adopting } from "./adopt.ts";
import type { RenderSettings } from "./children/pod-template.ts";
import type { EndedIn } from "./ended-batching.ts";
import { recordTransitions } from "./events.ts";
import { execute } from "./execute.ts";
import { type AskProgress, createFetchWatch, fetchingOf } from "./fetching.ts";
import { lacksRoom } from "./findings.ts";
import { givingBackOf } from "./giving-back.ts";
import { acknowledgement, judge, SURVEY_AGAIN_MS } from "./judge.ts";
import { observe } from "./observe.ts";
import type { Observed, Stores } from "./observed.ts";
import { brokenAt } from "./outage.ts";
import { createPace } from "./pace.ts";
import { plan } from "./plan.ts";
import { createReclaim } from "./reclaim.ts";
import { isDone, nextName, ordersOf, refusalOf } from "./record.ts";
import { isRetryFollowed } from "./rejections.ts";
import { isRepair } from "./repair.ts";
import type { Revision } from "./revision.ts";
import { rolesOf } from "./roles.ts";
import { routerObstacle } from "./router-obstacle.ts";
import { scaledSubject, withReplicas } from "./scale.ts";
import { promotedTo, statusOf } from "./status.ts";
import { subjectOf } from "./subject.ts";
import { strayUntil, waitsForRouter } from "./traffic.ts";
import { type Trial, trialOf } from "./trial.ts";
import { createStatusWriter } from "./write-status.ts";

export type Dependencies = {
  client: Client;
  stores: Stores;
  settings: RenderSettings;
  /** Its pods may reach the admin ports of all models. */
  operatorNamespace: string;
  /** How a status names this operator. */
  operator?: string;
  /** Milliseconds since 1970. */
  clock: () => number;
  events: EventRecorder;
  askProgress: AskProgress;
  askRouters: AskRouters;
  observer: Observer;
  survey: Survey;
  scaler: Pick<Scaler, "look">;
  askRouterNews: AskRouterNews;
  endedIn: EndedIn;
};

/** The cache hears of a deletion within milliseconds, if nothing holds its watch up. */
const GONE_MS = 1_000;
/** Pods that give their place back are looked at so often; their readiness brings most passes. */
const GIVING_BACK_MS = 5_000;
/** No watch tells when what is in our way goes: a stranger's object has none of our labels, a quota is not watched. */
const LOOK_AGAIN_MS = { stranger: 30_000, refused: 30_000, unanswered: 30_000, leaving: 1_000 } as const;

const DENIED_AGAIN_MS = 10_000;

export const modelDeploymentController = (dependencies: Dependencies): Reconcile => {
  const { client, clock, endedIn, events, observer, operator, scaler, settings, stores, survey } = dependencies;
  const named = operator === undefined ? {} : { operator };
  const pace = createPace();
  const writes = createWritePace();
  const fetches = createFetchWatch(dependencies.askProgress);
  const statuses = createStatusWriter(client, events);
  const reclaim = createReclaim(client);
  /** What stood in the way when it was last tried. */
  const hindrances = new Map<string, Obstacle>();

  const forget = async (key: ObjectKey): Promise<Result> => {
    for (const memory of [pace, writes, statuses, reclaim]) memory.forget(key);
    hindrances.delete(nameOf(key));
    await fetches.look(key, undefined, 0);
    await observer.look(key, undefined, 0);
    scaler.look(key, undefined, 0);
    return {};
  };

  /** Everything that the pass decides by, and what it decides. Nothing is written. */
  const decide = async (key: ObjectKey, seen: Observed, now: number) => {
    const roles = rolesOf(seen, settings);
    const scale = scaler.look(key, scaledSubject(seen, roles, now), now);
    const observed = withReplicas(seen, roles, scale);
    const acknowledged = await acknowledgement(dependencies.askRouters, observed, roles);
    const isStableBroken = now >= (brokenAt(observed, roles.stable) ?? Number.POSITIVE_INFINITY);
    const givingBack = givingBackOf(observed, roles, acknowledged, isStableBroken, now);
    const begun = trialOf(observed, roles, givingBack !== undefined, (revision) => nextName(observed, revision));
    const judged = await judge(observer, survey, observed, begun, acknowledged, now);
    const { observation, trial } = judged;
    const { operatorNamespace } = dependencies;
    const circumstances = { operatorNamespace, acknowledged, givingBack, trial, evidence: observation, endedIn };
    const { actions, againAfterMs, promoted } = plan(observed, roles, circumstances, now);
    const after = promoted === undefined ? roles : promotedTo(roles, promoted);
    const left = promoted === undefined ? givingBack : undefined;
    const waits = [againAfterMs, judged.againAfterMs, givingBack && GIVING_BACK_MS];
    return {
      observed,
      roles,
      after,
      scale,
      acknowledged,
      trial,
      observation,
      givingBack: left,
      actions: adopting(observed, actions),
      waits,
    };
  };

  /** What the caches do not hold of the newest revision, for people to read. */
  const inquire = async (key: ObjectKey, observed: Observed, newest: Revision | undefined, now: number) => {
    const fetching = await fetches.look(key, newest && fetchingOf(observed, newest), now);
    const isShort = newest !== undefined && lacksRoom(observed, newest);
    const rooms = isShort ? (await survey(now))?.rooms : undefined;
    const waits = [
      fetching.againAfterMs,
      newest && patience(subjectOf(observed, newest, now)),
      isShort && rooms === undefined ? SURVEY_AGAIN_MS : undefined,
    ];
    return { fetch: fetching.progress, rooms, waits };
  };

  return async (key, { log, signal }): Promise<Result> => {
    const now = clock();
    const seen = observe(stores, key, now);
    if (seen === undefined) return await forget(key);
    if (await reclaim.look(seen, now, signal)) return { requeueAfterMs: GONE_MS };
    const { acknowledged, actions, after, givingBack, observation, observed, roles, scale, trial, waits } =
      await decide(key, seen, now);
    if (isRepair(observed, actions) && !(await isStillThere(client, observed, signal)))
      return { requeueAfterMs: GONE_MS };
    const { waits: curious, ...inquired } = await inquire(key, observed, roles.candidate ?? roles.stable, now);
    const isRouterAwaited = waitsForRouter(observed, acknowledged, trial);
    const router = isRouterAwaited ? routerObstacle(dependencies.askRouterNews(key.namespace), now) : undefined;
    const asked = { ...inquired, trial, givingBack, evidence: observation?.words, scale, router, endedIn };
    const statusWith = (obstacle: Obstacle | undefined): ModelDeploymentStatus =>
      boundedStatus({ ...statusOf(observed, after, obstacle, now, asked), ...named });
    /** Milliseconds until the status may be written; undefined: it is, or is as it should be. */
    const write = async (status: ModelDeploymentStatus): Promise<(number | undefined)[]> => {
      const wait = pace.wait(key, observed.modelDeployment.status, status, now);
      if (wait === undefined || wait > 0) return [wait];
      const written = await statuses.write(key, observed, status, now, { log, signal });
      pace.wrote(key, now);
      recordTransitions(events, observed.modelDeployment, written.status);
      return [written.againAfterMs];
    };

    // who gets requests and who serves is told before anything else is written, and whatever becomes of that
    const before = hindrances.get(nameOf(key));
    const first = statusWith(before);
    const isFirst = movesRequests(observed.modelDeployment.status, first);
    // a status that cannot be written holds up no other write: those follow from the one before
    const untilFirst = isFirst ? await write(first).catch(unlessOutdated) : [];

    const { againAfterMs: untilRepeated, contested, due, hindering } = writes.due(key, actions, now);
    const { done, error, obstacles: met, refused } = await execute(client, observed.owner, due, signal);
    const obstacles = gathered([...met, ...hindering]);
    const obstacle = worstOf(obstacles);
    // a webhook that hangs has taken its time
    const untilTried = writes.done(key, done, clock(), refused);
    await recordContests(client, events, [observed.modelDeployment], contested, signal);
    if (obstacle === undefined) hindrances.delete(nameOf(key));
    else hindrances.set(nameOf(key), obstacle);

    // A revision that is being stored, or whose Deployment is, is told of in the next pass, which sees what came of it.
    const isBeginning = due.some(({ verb, resource }) => verb === "create" && isFirstChild(resource));
    const isDue = !isFirst && (!isBeginning || obstacle !== undefined || error !== undefined);
    const latest = obstacle === before ? first : statusWith(obstacle);
    const untilStatus = isDue ? await write(latest).catch(unlessOutdated) : untilFirst;
    if (untilStatus instanceof Error) return whenDenied(untilStatus, log);
    // only once the status says what they have led to: a command must not be lost with the operator
    const isTold = isFirst || untilStatus.every((wait) => wait === undefined);
    const untilAnswered = isTold ? await answerOrders(client, observed, trial, events, { log, signal }) : undefined;
    if (obstacle !== undefined) log.warn({ obstacles }, "the objects cannot be written as planned");
    // a write that failed keeps nobody from learning where requests go
    if (error !== undefined) throw error;
    const stray = scale && strayUntil(observed);
    const untilAllCounted = stray === undefined || stray <= now ? undefined : stray - now;
    const untilScaled = observed.external?.until === undefined ? undefined : observed.external.until - now;
    const hindered = obstacle && LOOK_AGAIN_MS[obstacle.kind];
    const untilDue = [untilRepeated, untilTried, untilAnswered, untilAllCounted, untilScaled, hindered];
    return soonest([...waits, ...curious, ...untilStatus, ...untilDue]);
  };
};

/** Takes the commands off that are done, or cannot be followed: that is told by an event. When to try again (ms) what is not taken off. */
const answerOrders = async (
  client: Client,
  observed: Observed,
  trial: Trial | undefined,
  events: EventRecorder,
  { log, signal }: Pick<ReconcileContext, "log" | "signal">,
): Promise<number | undefined> => {
  let againAfterMs: number | undefined;
  for (const order of ordersOf(observed)) {
    const refusal = refusalOf(order, trial);
    const isRetry = refusal === undefined && order.word === "retry";
    if (!(isRetry ? isRetryFollowed(observed, order) : isDone(order, trial))) continue;
    if (refusal !== undefined) events.event(order.record, "Warning", "CommandRefused", "Command", refusal);
    else events.event(order.record, "Normal", "CommandDone", "Command", `${order.word}: done`);
    const { name, namespace = "", uid = "" } = order.record.metadata;
    const metadata = { name, namespace, uid, annotations: { [ACTION_ANNOTATION]: null } };
    try {
      await client.patch(MODEL_ROLLOUTS, { metadata }, { fieldManager: FIELD_MANAGER, signal });
    } catch (error) {
      const refused = refusalIn(error);
      if (refused === undefined || !("message" in refused)) throw error;
      log.warn({ err: error }, "the annotation of a finished command cannot be removed from its ModelRollout");
      events.event(order.record, "Warning", "WriteRefused", "Command", refused.message);
      againAfterMs = LOOK_AGAIN_MS.refused;
    }
  }
  return againAfterMs;
};

/** Who decided on an object that has changed since observes again, before anything else. */
const unlessOutdated = (error: unknown): Error => {
  if (!(error instanceof Error) || (error instanceof KubeError && error.kind === "conflict")) throw error;
  return error;
};

/** A status that missing rights or a webhook keep out is told of by an event; nobody who mends that waits for the queue's minutes. */
const whenDenied = (error: Error, log: ReconcileContext["log"]): Result => {
  if (refusalIn(error) === undefined) throw error;
  log.error({ err: error }, "the API server refuses the status");
  return { requeueAfterMs: DENIED_AGAIN_MS };
};

const nameOf = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;

/** The routing table, the revision that serves, or how far a rollout is. */
const movesRequests = (before: ModelDeploymentStatus | undefined, after: ModelDeploymentStatus): boolean => {
  const told = (status: ModelDeploymentStatus | undefined): unknown => [
    status?.traffic,
    status?.stable?.revision,
    status?.rollout?.revision,
    status?.rollout?.phase,
    status?.rollout?.rejected?.length,
  ];
  return !isDeepStrictEqual(told(before), told(after));
};

const isFirstChild = (resource: Resource<KubeObject>): boolean =>
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

const soonest = (waits: readonly (number | undefined)[]): Result => {
  const given = waits.filter((wait) => wait !== undefined);
  return given.length === 0 ? {} : { requeueAfterMs: Math.min(...given) };
};
