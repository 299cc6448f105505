/** The life of a ModelDeployment: observe → plan → execute → status. */
import { ACTION_ANNOTATION, boundedStatus, MODEL_DEPLOYMENTS, MODEL_ROLLOUTS } from "../api/v1alpha1/index.ts";
import { FIELD_MANAGER } from "../apply/actions.ts";
import { worstOf } from "../apply/obstacle.ts";
import { recordContests } from "../apply/record-contests.ts";
import { createWritePace } from "../apply/write-pace.ts";
import type { EventRecorder } from "../controller/events.ts";
import type { Reconcile, Result } from "../controller/result.ts";
import type { Client } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../kube/resources.ts";
import type { Survey } from "../placement/survey.ts";
import type { Observer } from "../rollout/observer.ts";
import type { Scaler } from "../scaling/scaler.ts";
import type { AskRouterNews } from "../traffic/news.ts";
import type { AskRouters } from "../traffic/routers.ts";
import { adopting } from "./adopt.ts";
import type { RenderSettings } from "./children/pod-template.ts";
import { recordTransitions } from "./events.ts";
import { execute } from "./execute.ts";
import { patience } from "./explain/explain.ts";
import { type AskProgress, createFetchWatch, fetchingOf } from "./fetching.ts";
import { lacksRoom } from "./findings.ts";
import { acknowledgement, judge, SURVEY_AGAIN_MS } from "./judge.ts";
import { type Observed, observe, type Stores } from "./observe.ts";
import { createPace } from "./pace.ts";
import { plan } from "./plan.ts";
import { isDone, nextName, ordersOf, refusalOf } from "./record.ts";
import { isRepair } from "./repair.ts";
import { rolesOf } from "./roles.ts";
import { routerObstacle } from "./router-obstacle.ts";
import { scaledSubject, withReplicas } from "./scale.ts";
import { promoted, statusOf } from "./status.ts";
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
  /** Milliseconds since 1970. */
  clock: () => number;
  events: EventRecorder;
  askProgress: AskProgress;
  askRouters: AskRouters;
  observer: Observer;
  survey: Survey;
  scaler: Pick<Scaler, "look">;
  askRouterNews: AskRouterNews;
};

/** The cache hears of a deletion within milliseconds, if nothing holds its watch up. */
const GONE_MS = 1_000;
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
  scaler,
  askRouterNews,
}: Dependencies): Reconcile => {
  const pace = createPace();
  const writes = createWritePace();
  const fetches = createFetchWatch(askProgress);
  const statuses = createStatusWriter(client, events);
  return async (key, { log, signal }): Promise<Result> => {
    const seen = observe(stores, key);
    if (seen === undefined) {
      pace.forget(key);
      writes.forget(key);
      statuses.forget(key);
      await fetches.look(key, undefined, 0);
      await observer.look(key, undefined, 0);
      scaler.look(key, undefined, 0);
      return {};
    }
    const now = clock();

    const roles = rolesOf(seen, settings);
    const scale = scaler.look(key, scaledSubject(seen, roles, now), now);
    const observed = withReplicas(seen, roles, scale);
    const beginning = trialOf(observed, roles, (revision) => nextName(observed, revision));
    const acknowledged = await acknowledgement(askRouters, observed, roles, beginning);
    const {
      trial,
      observation,
      againAfterMs: untilEvidence,
    } = await judge(observer, survey, observed, beginning, acknowledged, now);
    const circumstances = { operatorNamespace, acknowledged, trial, evidence: observation };
    const { actions: planned, promote, againAfterMs } = plan(observed, roles, circumstances, now);
    const actions = adopting(observed, planned);
    if (isRepair(observed, actions) && !(await isStillThere(client, observed, signal))) {
      return { requeueAfterMs: GONE_MS };
    }
    const { due, contested, againAfterMs: untilRepeated } = writes.due(key, actions, now);
    const { done, error, obstacles } = await execute(client, observed.owner, due, signal);
    const obstacle = worstOf(obstacles);
    writes.done(key, done, now);
    await recordContests(client, events, [observed.modelDeployment], contested, signal);

    const newest = roles.candidate ?? roles.stable;
    const fetching = await fetches.look(key, newest && fetchingOf(observed, newest), now);
    const isShort = newest !== undefined && lacksRoom(observed, newest);
    const rooms = isShort ? (await survey(now))?.rooms : undefined;
    const router = waitsForRouter(observed, acknowledged, trial)
      ? routerObstacle(askRouterNews(key.namespace), now)
      : undefined;
    const asked = { fetch: fetching.progress, rooms, trial, evidence: observation?.words, scale, router };
    const status = boundedStatus(statusOf(observed, promote ? promoted(roles) : roles, obstacle, now, asked));
    // A revision that is being stored, or whose Deployment is, is told of in the next pass, which sees what came of it.
    const isBeginning = due.some(({ verb, resource }) => verb === "create" && isFirst(resource));
    const isDue = !isBeginning || obstacle !== undefined || error !== undefined;
    const wait = isDue ? pace.wait(key, observed.modelDeployment.status, status, now) : undefined;
    let untilStatus: number | undefined;
    if (isDue && wait === 0) {
      const written = await statuses.write(key, observed, status, now, { log, signal });
      pace.wrote(key, now);
      recordTransitions(events, observed.modelDeployment, written.status);
      untilStatus = written.againAfterMs;
    }
    // only once the status says what they have led to: a command must not be lost with the operator
    if (wait === undefined || wait === 0) await answerOrders(client, observed, trial, events, signal);
    if (obstacle !== undefined) log.warn({ obstacles }, "something is in the way");
    // a write that failed keeps nobody from learning where requests go
    if (error !== undefined) throw error;
    const suspicion = newest && patience(subjectOf(observed, newest, now));
    const pacing = wait === 0 ? undefined : wait;
    const unsurveyed = isShort && rooms === undefined ? SURVEY_AGAIN_MS : undefined;
    const hindered = obstacle && LOOK_AGAIN_MS[obstacle.kind];
    const stray = scale && strayUntil(observed);
    const untilAllCounted = stray === undefined || stray <= now ? undefined : stray - now;
    return after(
      untilAllCounted,
      againAfterMs,
      untilEvidence,
      suspicion,
      pacing,
      fetching.againAfterMs,
      untilRepeated,
      unsurveyed,
      hindered,
      untilStatus,
    );
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

const after = (...waits: (number | undefined)[]): Result => {
  const given = waits.filter((wait) => wait !== undefined);
  return given.length === 0 ? {} : { requeueAfterMs: Math.min(...given) };
};
