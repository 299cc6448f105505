/** The life of a namespace's router: there while a ModelDeployment needs it, as this version of Berth would make it. */
import { KIND, type ModelDeployment, type Reason, ROUTER_NAME } from "../../api/v1alpha1/index.ts";
import { execute } from "../../apply/execute.ts";
import { gathered, type Obstacle } from "../../apply/obstacle.ts";
import { recordContests } from "../../apply/record-contests.ts";
import { createWritePace } from "../../apply/write-pace.ts";
import { needsRouter } from "../../domain/traffic/needs-router.ts";
import type { Change } from "../../platform/cache/indexed-store.ts";
import type { Store } from "../../platform/cache/store.ts";
import type { EventRecorder } from "../../platform/controller/events.ts";
import type { Reconcile } from "../../platform/controller/result.ts";
import type { Client } from "../../platform/kube/client.ts";
import type {
  Deployment,
  KubeObject,
  NetworkPolicy,
  ObjectKey,
  PodDisruptionBudget,
  RoleBinding,
  ServiceAccount,
} from "../../platform/kube/objects.ts";
import { DEPLOYMENTS } from "../../platform/kube/resources.ts";
import type { RouterRole } from "./children/account.ts";
import type { RouterSettings } from "./children/deployment.ts";
import { type ObservedRouter, planRouter } from "./plan.ts";
import { createRollPace, isRolling } from "./roll-pace.ts";
import { obstacleOf } from "./whose.ts";

export type RouterStores = {
  modelDeployments: Store<ModelDeployment>;
  deployments: Store<Deployment>;
  serviceAccounts: Store<ServiceAccount>;
  roleBindings: Store<RoleBinding>;
  disruptionBudgets: Store<PodDisruptionBudget>;
  networkPolicies: Store<NetworkPolicy>;
};

export type RouterDependencies = {
  client: Client;
  stores: RouterStores;
  settings: RouterSettings & { role: RouterRole; operatorNamespace: string };
  /** Milliseconds since 1970. */
  clock: () => number;
  events: EventRecorder;
  /** By namespace, what kept the last pass from making its routers: those who wait for them tell of it. */
  obstacles: Map<string, readonly Obstacle[]>;
};

const keyOf = ({ metadata: { namespace = "" } }: KubeObject): ObjectKey[] => [{ namespace, name: ROUTER_NAME }];

/** The key of the router that this ModelDeployment needs. One that needs it no longer is told as it was, too. */
export const routerOf = (object: KubeObject): ObjectKey[] =>
  isModelDeployment(object) && needsRouter(object) ? keyOf(object) : [];

/** What the router consists of follows from the specs of those that need it; their status changes much more often. */
export const isNewsForRouter = (change: Change<ModelDeployment>): boolean =>
  change.type !== "updated" ||
  change.old.metadata.generation !== change.object.metadata.generation ||
  change.old.metadata.uid !== change.object.metadata.uid ||
  needsRouter(change.old) !== needsRouter(change.object);

const isModelDeployment = (object: KubeObject): object is ModelDeployment => object.kind === KIND;

/** The key of the router that this object is a part of. */
export const partOfRouter = (object: KubeObject): ObjectKey[] =>
  object.metadata.name === ROUTER_NAME ? keyOf(object) : [];

/** No watch tells when what is in the routers' way goes: a stranger's object, a quota, a webhook. */
const LOOK_AGAIN_MS = 30_000;
/** Routers that are replaced a few namespaces at a time wait for each other. */
const ROLL_AGAIN_MS = 5_000;

export const routerController = (dependencies: RouterDependencies): Reconcile => {
  const { client, clock, events, settings, stores } = dependencies;
  const writes = createWritePace();
  const rolls = createRollPace();
  return async (key, { log, signal }) => {
    const observed = observe(stores, key);
    const now = clock();
    const { actions, isRoll, strangers } = planRouter(observed, settings);
    const isNext = !isRoll || rolls.begins(key.namespace, now, countNamespaces(stores), isRollingIn(stores));
    const planned = isNext ? actions : actions.filter(({ resource }) => resource.kind !== DEPLOYMENTS.kind);
    const { due, contested, hindering, againAfterMs } = writes.due(key, planned, now);
    const outcome = await execute(client, due, obstacleOf, signal);
    const untilTried = writes.done(key, outcome.done, clock(), outcome.refused);
    if (observed.users.length === 0 && actions.length === 0) writes.forget(key);
    const known: Obstacle[] = strangers.length === 0 ? [] : [{ kind: "stranger", objects: strangers }];
    const inTheWay = gathered([...known, ...outcome.obstacles, ...hindering]);
    tellObstacles(dependencies, observed, inTheWay);
    if (inTheWay.length > 0) log.warn({ obstacles: inTheWay }, "the routers cannot be written as planned");
    await recordContests(client, events, observed.users.slice(0, TOLD_USERS), contested, signal);
    if (outcome.error !== undefined) throw outcome.error;
    const waits = [
      againAfterMs,
      untilTried,
      isNext ? undefined : ROLL_AGAIN_MS,
      inTheWay.length > 0 ? LOOK_AGAIN_MS : undefined,
    ].filter((wait) => wait !== undefined);
    return waits.length === 0 ? {} : { requeueAfterMs: Math.min(...waits) };
  };
};

/** What is new is told by an event, too: a ModelDeployment that is served already waits for nothing, and its status says nothing. */
const tellObstacles = (
  { events, obstacles }: RouterDependencies,
  { namespace, users }: ObservedRouter,
  inTheWay: readonly Obstacle[],
): void => {
  const before = obstacles.get(namespace) ?? [];
  if (inTheWay.length === 0) obstacles.delete(namespace);
  else obstacles.set(namespace, inTheWay);
  const strangers = inTheWay.flatMap((one) => (one.kind === "stranger" ? one.objects : [])).join(" and ");
  const known = before.flatMap((one) => (one.kind === "stranger" ? one.objects : [])).join(" and ");
  if (strangers === "" || strangers === known) return;
  const reason: Reason = "NotOwned";
  const note = `${strangers}: another owner has this name, which the routers of this namespace need; delete it`;
  for (const user of users.slice(0, TOLD_USERS)) events.event(user, "Warning", reason, "Route", note);
};

/** Events are for those who look at one of them: not each of hundreds gets them. */
const TOLD_USERS = 5;

const observe = (stores: RouterStores, key: ObjectKey): ObservedRouter => ({
  namespace: key.namespace,
  users: [...stores.modelDeployments.list()].filter(
    (one) => one.metadata.namespace === key.namespace && needsRouter(one),
  ),
  deployment: stores.deployments.get(key),
  account: stores.serviceAccounts.get(key),
  binding: stores.roleBindings.get(key),
  budget: stores.disruptionBudgets.get(key),
  policy: stores.networkPolicies.get(key),
});

/** Each namespace with routers has one account of theirs. */
const countNamespaces = ({ serviceAccounts }: RouterStores): number => [...serviceAccounts.list()].length;

const isRollingIn =
  ({ deployments }: RouterStores) =>
  (namespace: string): boolean => {
    const deployment = deployments.get({ namespace, name: ROUTER_NAME });
    return deployment !== undefined && isRolling(deployment);
  };
