/** The life of a ModelDeployment: observe → decide → status where requests move → writes → status. */
import { isDeepStrictEqual } from "node:util";
import { boundedStatus, MODEL_DEPLOYMENTS, type ModelDeploymentStatus } from "../../api/v1alpha1/index.ts";
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
import { fullNameOf, type KubeObject, type ObjectKey, type Resource } from "../../platform/kube/objects.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../../platform/kube/resources.ts";
import { adopting } from "./adopt.ts";
import { answerOrders } from "./answer-orders.ts";
import { believed } from "./believed.ts";
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
import { nextName } from "./record.ts";
import { isRepair } from "./repair.ts";
import type { Revision } from "./revision.ts";
import { rolesOf } from "./roles.ts";
import { routerObstacle } from "./router-obstacle.ts";
import { scaledSubject, withReplicas } from "./scale.ts";
import { promotedTo, statusOf } from "./status.ts";
import { subjectOf } from "./subject.ts";
import { strayUntil, waitsForRouter } from "./traffic.ts";
import { trialOf } from "./trial.ts";
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

/** What the passes over all ModelDeployments have in common: what they ask, and what they remember. */
type Reconciler = Dependencies & {
  pace: ReturnType<typeof createPace>;
  writes: ReturnType<typeof createWritePace>;
  fetches: ReturnType<typeof createFetchWatch>;
  statuses: ReturnType<typeof createStatusWriter>;
  reclaim: ReturnType<typeof createReclaim>;
  /** What stood in the way when it was last tried. */
  hindrances: Map<string, Obstacle>;
};

/** One pass over one of them. */
type Pass = { key: ObjectKey; now: number; log: ReconcileContext["log"]; signal: AbortSignal };

type Decided = Awaited<ReturnType<typeof decide>>;
type Inquired = Awaited<ReturnType<typeof inquire>>;

export const modelDeploymentController = (dependencies: Dependencies): Reconcile => {
  const { askProgress, client, clock, events } = dependencies;
  const reconciler: Reconciler = {
    ...dependencies,
    pace: createPace(),
    writes: createWritePace(),
    fetches: createFetchWatch(askProgress),
    statuses: createStatusWriter(client, events),
    reclaim: createReclaim(client),
    hindrances: new Map(),
  };
  return (key, { log, signal }) => reconcile(reconciler, { key, now: clock(), log, signal });
};

const reconcile = async (reconciler: Reconciler, pass: Pass): Promise<Result> => {
  const { client, reclaim, stores } = reconciler;
  const { key, now, signal } = pass;
  const seen = observe(stores, key, now);
  if (seen === undefined) return await forget(reconciler, key);
  if (await reclaim.look(seen, now, signal)) return { requeueAfterMs: GONE_MS };
  const decided = await decide(reconciler, key, seen, now);
  const { actions, observed, roles } = decided;
  if (isRepair(observed, actions) && !(await isStillThere(client, observed, signal)))
    return { requeueAfterMs: GONE_MS };
  const inquired = await inquire(reconciler, key, observed, roles.candidate ?? roles.stable, now);
  return await carryOut(reconciler, pass, decided, inquired);
};

const forget = async (reconciler: Reconciler, key: ObjectKey): Promise<Result> => {
  const { fetches, hindrances, observer, pace, reclaim, scaler, statuses, writes } = reconciler;
  for (const memory of [pace, writes, statuses, reclaim]) memory.forget(key);
  hindrances.delete(fullNameOf(key));
  await fetches.look(key, undefined, 0);
  await observer.look(key, undefined, 0);
  scaler.look(key, undefined, 0);
  return {};
};

/** Everything that the pass decides by, and what it decides. Nothing is written. */
const decide = async (reconciler: Reconciler, key: ObjectKey, seen: Observed, now: number) => {
  const { askRouters, endedIn, observer, operatorNamespace, scaler, settings, survey } = reconciler;
  const known = believed(seen, now);
  const roles = rolesOf(known, settings);
  const scale = scaler.look(key, scaledSubject(known, roles, now), now);
  const observed = withReplicas(known, roles, scale);
  const { acknowledged, ahead } = await acknowledgement(askRouters, observed, roles);
  const isStableBroken = now >= (brokenAt(observed, roles.stable) ?? Number.POSITIVE_INFINITY);
  const givingBack = givingBackOf(observed, roles, acknowledged, isStableBroken, now);
  const begun = trialOf(observed, roles, givingBack !== undefined, (revision) => nextName(observed, revision));
  const judged = await judge(observer, survey, observed, begun, acknowledged, now);
  const { observation, trial } = judged;
  const circumstances = { operatorNamespace, acknowledged, givingBack, trial, evidence: observation, endedIn };
  const { actions, againAfterMs, promoted } = plan(observed, roles, circumstances, now);
  const after = promoted === undefined ? roles : promotedTo(roles, promoted);
  const left = promoted === undefined ? givingBack : undefined;
  const waits = [againAfterMs, judged.againAfterMs, givingBack && GIVING_BACK_MS];
  return {
    written: seen.modelDeployment,
    observed,
    roles,
    after,
    scale,
    acknowledged,
    ahead,
    trial,
    observation,
    givingBack: left,
    actions: adopting(observed, actions),
    waits,
  };
};

/** What the caches do not hold of the newest revision, for people to read. */
const inquire = async (
  { fetches, survey }: Reconciler,
  key: ObjectKey,
  observed: Observed,
  newest: Revision | undefined,
  now: number,
) => {
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

/** Writes what was decided, and the status before or after it. */
const carryOut = async (reconciler: Reconciler, pass: Pass, decided: Decided, inquired: Inquired): Promise<Result> => {
  const { client, events, hindrances } = reconciler;
  const { key, log, now, signal } = pass;
  const { observed, trial, written } = decided;
  const statusWith = statusOfPass(reconciler, pass, decided, inquired);
  const write = (status: ModelDeploymentStatus) => writeStatus(reconciler, pass, decided, status);

  // who gets requests and who serves is told before anything else is written, and whatever becomes of that
  const before = hindrances.get(fullNameOf(key));
  const first = statusWith(before);
  const isFirst = movesRequests(written.status, first);
  // a status that cannot be written holds up no other write: those follow from the one before
  const untilFirst = isFirst ? await write(first).catch(unlessOutdated) : [];
  const { due, error, obstacle, obstacles, waits: untilTried } = await writeChildren(reconciler, pass, decided);

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
  const hindered = obstacle && LOOK_AGAIN_MS[obstacle.kind];
  const untilDue = [...untilTried, untilAnswered, ...untilCounted(decided, now), hindered];
  return soonest([...decided.waits, ...inquired.waits, ...untilStatus, ...untilDue]);
};

/** The status of this pass, where something is in the way, or nothing. */
const statusOfPass = (
  { askRouterNews, endedIn, operator }: Reconciler,
  { key, now }: Pass,
  { acknowledged, after, ahead, givingBack, observation, observed, scale, trial, written }: Decided,
  { fetch, rooms }: Inquired,
): ((obstacle: Obstacle | undefined) => ModelDeploymentStatus) => {
  const named = operator === undefined ? {} : { operator };
  const isRouterAwaited = waitsForRouter(observed, acknowledged, trial);
  const router = isRouterAwaited ? routerObstacle(askRouterNews(key.namespace), now) : undefined;
  const asked = { fetch, rooms, trial, givingBack, evidence: observation?.words, scale, router, endedIn, ahead };
  const { status: before } = written;
  return (obstacle) => {
    const status = { ...statusOf(observed, after, obstacle, now, asked), ...named };
    // what the API server has is within the bounds that it sets, and most passes change nothing
    return before !== undefined && isDeepStrictEqual(status, before) ? before : boundedStatus(status);
  };
};

/** Milliseconds until the status may be written; undefined: it is, or is as it should be. */
const writeStatus = async (
  { events, pace, statuses }: Reconciler,
  { key, log, now, signal }: Pass,
  { observed, written: modelDeployment }: Decided,
  status: ModelDeploymentStatus,
): Promise<(number | undefined)[]> => {
  const wait = pace.wait(key, modelDeployment.status, status, now);
  if (wait === undefined || wait > 0) return [wait];
  const written = await statuses.write(key, { ...observed, modelDeployment }, status, now, { log, signal });
  pace.wrote(key, now);
  recordTransitions(events, observed.modelDeployment, written.status);
  return [written.againAfterMs];
};

/** `waits`: until what is not written yet may be tried. */
const writeChildren = async (
  { client, clock, events, hindrances, writes }: Reconciler,
  { key, now, signal }: Pass,
  { actions, observed }: Decided,
) => {
  const { againAfterMs: untilRepeated, contested, due, hindering } = writes.due(key, actions, now);
  const { done, error, obstacles: met, refused } = await execute(client, observed.owner, due, signal);
  const obstacles = gathered([...met, ...hindering]);
  const obstacle = worstOf(obstacles);
  // a webhook that hangs has taken its time
  const untilTried = writes.done(key, done, clock(), refused);
  await recordContests(client, events, [observed.modelDeployment], contested, signal);
  if (obstacle === undefined) hindrances.delete(fullNameOf(key));
  else hindrances.set(fullNameOf(key), obstacle);
  return { due, error, obstacle, obstacles, waits: [untilRepeated, untilTried] };
};

/** Until all requests are counted, and until somebody else's number of pods holds no more. */
const untilCounted = ({ observed, scale }: Decided, now: number): (number | undefined)[] => {
  const stray = scale && strayUntil(observed);
  const { until } = observed.external ?? {};
  return [stray === undefined || stray <= now ? undefined : stray - now, until === undefined ? undefined : until - now];
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
