/**
 * A very small Kubernetes for tests of the reconciler: objects with uids and versions, server-side apply
 * with ownership by manager, and a Deployment controller whose pods do what the test says. It stands in for
 * an API server only in how writes follow each other; what the real one accepts, test/e2e shows.
 */
import { pino } from "pino";
import type { z } from "zod";
import type { ModelDeployment, ModelDeploymentSpec, ModelDeploymentStatus } from "../../operator/api/v1alpha1/index.ts";
import {
  API_VERSION,
  FETCH_CONTAINER,
  KIND,
  MODEL_DEPLOYMENTS,
  MODEL_ROLLOUTS,
  ROLLOUT_KIND,
  recordSchema,
  SERVER_CONTAINER,
  statusSchema,
} from "../../operator/api/v1alpha1/index.ts";
import { FIELD_MANAGER } from "../../operator/apply/actions.ts";
import type { RouterNews } from "../../operator/apply/router-news.ts";
import { createObserver } from "../../operator/controllers/evidence/observer.ts";
import { observe } from "../../operator/controllers/model-deployment/observe.ts";
import type { Observed, Stores } from "../../operator/controllers/model-deployment/observed.ts";
import { type Dependencies, modelDeploymentController } from "../../operator/controllers/model-deployment/reconcile.ts";
import { ONE } from "../../operator/domain/placement/request.ts";
import type { Surveyed } from "../../operator/domain/placement/surveyed.ts";
import type { RouterCounts } from "../../operator/domain/rollout/router-counts.ts";
import type { Scale, Subject } from "../../operator/domain/scaling/scale.ts";
import type { Report } from "../../operator/domain/traffic/acknowledged.ts";
import type { Store } from "../../operator/platform/cache/store.ts";
import type { Reconcile, ReconcileContext, Result } from "../../operator/platform/controller/result.ts";
import type { Client } from "../../operator/platform/kube/client.ts";
import { KubeError } from "../../operator/platform/kube/errors.ts";
import type { Deployment, KubeObject, ObjectKey, Pod, Resource } from "../../operator/platform/kube/objects.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  SERVICES,
} from "../../operator/platform/kube/resources.ts";
import { agreeing, beside, type Fields, isFields, merge, patched, standing, subtract } from "./fields.ts";
import { createTraffic, type Quality } from "./traffic.ts";

type Stored = KubeObject & Fields;
type Owners = NonNullable<KubeObject["metadata"]["managedFields"]>;

class Refused extends KubeError {
  constructor(kind: "conflict" | "notFound", message: string) {
    const [reason, status] = kind === "conflict" ? ["Conflict", 409] : ["NotFound", 404];
    super(message, { kind, reason: String(reason), status: Number(status) });
  }
}

/** Thrown by the write before which the operator "is killed". */
export class Killed extends Error {}

/**
 * `pending`: the scheduler's words; `failure`: the server's termination message, after `restarts` (3, a loop); `ended`: how it ended
 * instead of a failure of its own; `image`: the kubelet's words on one that it cannot pull.
 */
export type Fate = {
  ready: boolean;
  digest?: string;
  gate?: string;
  /** The scheduler has not looked at it. */
  untold?: boolean;
  pending?: string;
  failure?: string;
  image?: string;
  restarts?: number;
  ended?: { exitCode: number; reason?: string };
};

export type World = {
  client: Client;
  now: number;
  objects: Map<string, Stored>;
  writes: string[];
  events: string[];
  /** The API server's refusal of a write (`create Service/digits`), if it refuses it. */
  refuses: (write: string, object: object) => Error | undefined;
  /** Writes that still succeed before the operator is killed. */
  writesLeft: number;
  /** Whether a pod of this revision gets ready, and with which bytes; or the scheduling gate that holds it back. */
  fate: (revision: string, pod: number) => Fate;
  settings: Dependencies["settings"];
  /** What the routers have counted since the world began: 100 requests a second, split as the table says. */
  counts: () => RouterCounts[];
  /** Of a revision's answers: the share that fails, and by how much they are slower. */
  quality: (revision: string) => Quality;
  /** What the routers say of the ModelDeployment: two that follow its table, unless a test says otherwise. */
  routers: () => Report[];
  /** What is known of the routers' own Deployment and pods. */
  routerNews: RouterNews;
  /** By the uid of a pod, why batching has ended there. */
  endedIn: Map<string, string>;
  /** Pods that the only node takes. */
  slots: number;
  /** What the nodes have left; undefined: that is not known, as long as there is no end of slots. */
  surveyed: () => Surveyed | undefined;
  /** What the load asks for, where the number of pods follows that. */
  scale: (subject: Subject) => Scale;
  /** The operator goes on from pass to pass with what it remembers; else each pass is that of another process. */
  isOneOperator: boolean;
  /** The API server has the ModelDeployment no longer, and its watch has not told yet. */
  isGone: boolean;
  /** Deletes an object as somebody else would. */
  erase<T extends KubeObject>(resource: Resource<T>, name: string): void;
  put(spec: ModelDeploymentSpec): void;
  /** As `kubectl annotate` does. */
  annotate<T extends KubeObject>(resource: Resource<T>, name: string, annotation: string, value: string): void;
  get<T extends KubeObject>(resource: Resource<T>, name: string): T | undefined;
  all<T extends KubeObject>(resource: Resource<T>): T[];
  deployment(): ModelDeployment;
  /** What a pass sees of it. */
  observed(): Observed;
  reconcile(): Promise<Result>;
  /** Lets the cluster act on what was written. */
  act(): void;
  /** Another process takes the lead: what the one before knew by itself is gone. */
  changeLeader(): void;
  /** As after a restore from a backup. */
  loseStatus(): void;
  /** As `kubectl edit --subresource=status` does: who changes a field owns it, and no other's apply removes it. */
  editStatus(status: ModelDeploymentStatus): void;
  /** Its conditions have other reasons, as an operator of another version wrote them. */
  renameReasons(names: Readonly<Record<string, string>>): void;
  /** Reconcile and let the cluster act, until nothing changes. */
  settle(): Promise<void>;
};

const context: ReconcileContext = {
  log: pino({ level: "silent" }),
  reconcileID: "test",
  signal: new AbortController().signal,
};

const NAMESPACE = "default";
export const NAME = "digits";

const STATUSES: Readonly<Record<string, z.ZodType>> = { [KIND]: statusSchema, [ROLLOUT_KIND]: recordSchema };

/** As the API server does: a single bound of the CRD that does not hold costs the whole status. */
const refusedByCrd = (object: { kind?: string; status?: unknown }): KubeError | undefined => {
  const error = object.status === undefined ? undefined : STATUSES[object.kind ?? ""]?.safeParse(object.status).error;
  const [issue] = error?.issues ?? [];
  if (issue === undefined) return undefined;
  const message = `${object.kind} is invalid: status.${issue.path.join(".")}: ${issue.message}`;
  return new KubeError(message, { kind: "terminal", reason: "Invalid", status: 422 });
};

const conditionOf = ({ status }: Pod, type: string) => status?.conditions?.find((condition) => condition.type === type);

const keyOf = ({ kind }: { kind: string }, name: string): string => `${kind}/${name}`;

export const createWorld = (): World => {
  const objects = new Map<string, Stored>();
  const applied = new Map<string, Fields>();
  const posted = new Map<string, Fields>();
  /** What somebody else owns of the status. */
  let edited: Fields = {};
  let version = 0;

  const isOf =
    <T extends KubeObject>(resource: Resource<T>) =>
    (object: KubeObject): object is T =>
      object.kind === resource.kind;

  const store = (key: string, object: Stored): Stored => {
    const before = objects.get(key);
    const unchanged = before !== undefined && JSON.stringify(before) === JSON.stringify(object);
    if (unchanged) return before;
    version += 1;
    const specChanged = JSON.stringify(before?.spec) !== JSON.stringify(object.spec);
    const generation = (before?.metadata.generation ?? 0) + (specChanged ? 1 : 0);
    const metadata = { ...object.metadata, resourceVersion: String(version), generation };
    const stored = { ...object, metadata: { uid: `uid-${version}`, creationTimestamp: at(), ...metadata } };
    objects.set(key, stored);
    return stored;
  };
  const erase = (key: string): void => {
    version += 1;
    objects.delete(key);
  };
  const at = () => new Date(world.now).toISOString();

  const write = (what: string, object: object = {}): void => {
    if (world.writesLeft <= 0) throw new Killed(what);
    const refusal = refusedByCrd(object) ?? world.refuses(what, object);
    if (refusal !== undefined) throw refusal;
    world.writesLeft -= 1;
    world.writes.push(what);
  };
  const existing = (key: string): Stored => {
    const object = objects.get(key);
    if (object === undefined) throw new Refused("notFound", key);
    return object;
  };
  const cast = <T extends KubeObject>(resource: Resource<T>, object: KubeObject): T => {
    if (!isOf(resource)(object)) throw new Error(`not a ${resource.kind}`);
    return object;
  };

  const client: Client = {
    get: async (resource, { name }) => {
      if (world.isGone && resource.kind === MODEL_DEPLOYMENTS.kind) {
        throw new KubeError(`${name} is not there`, { kind: "notFound", reason: "NotFound", status: 404 });
      }
      const key = keyOf(resource, name);
      const object = existing(key);
      if (resource.kind === KIND && Object.keys(edited).length > 0) {
        const of = {
          apiVersion: object.apiVersion,
          manager: "kubectl-edit",
          operation: "Update",
          subresource: "status",
        };
        const managedFields = [{ ...of, fieldsV1: { "f:status": {} } }];
        return cast(resource, { ...object, metadata: { ...object.metadata, managedFields } });
      }
      if (!posted.has(`${key} ${FIELD_MANAGER} undefined`)) return cast(resource, object);
      const own = { apiVersion: object.apiVersion, manager: FIELD_MANAGER, operation: "Update" };
      const managedFields = [...(object.metadata.managedFields ?? []), own];
      return cast(resource, { ...object, metadata: { ...object.metadata, managedFields } });
    },
    list: async (resource) => ({ items: world.all(resource), resourceVersion: String(version) }),
    each: async (resource, _, visit) => {
      for (const object of world.all(resource)) visit(object);
      return { resourceVersion: String(version) };
    },
    create: async (resource, object, { fieldManager }) => {
      const key = keyOf(resource, object.metadata.name);
      write(`create ${key}`);
      if (objects.has(key)) throw new Refused("conflict", `${key} exists`);
      const manager = `${key} ${fieldManager} undefined`;
      posted.set(manager, JSON.parse(JSON.stringify(object)));
      applied.delete(manager);
      return cast(resource, store(key, { ...structuredClone(object) }));
    },
    apply: async (resource, object, { fieldManager, subresource }) => {
      const { uid, resourceVersion } = { uid: undefined, resourceVersion: undefined, ...object.metadata };
      const key = keyOf(resource, object.metadata.name);
      write(`apply ${key}${subresource ? `/${subresource}` : ""} as ${fieldManager}`, object);
      const before = existing(key);
      if (uid !== undefined && uid !== before.metadata.uid) throw new Refused("conflict", `${key}: another uid`);
      if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) {
        throw new Refused("conflict", `${key}: changed since`);
      }
      const intent: Fields = JSON.parse(JSON.stringify(object));
      if (isFields(intent.metadata)) delete intent.metadata.resourceVersion;
      const manager = `${key} ${fieldManager} ${subresource}`;
      const isEdited = subresource !== undefined && object.kind === KIND;
      const own = isEdited ? beside(edited, applied.get(manager) ?? {}) : (applied.get(manager) ?? {});
      const after = merge(subtract(before, own, intent), intent);
      const refusal = subresource === undefined ? undefined : refusedByCrd({ ...object, status: after.status });
      if (refusal !== undefined) throw refusal;
      applied.set(manager, intent);
      if (isEdited) edited = standing(edited, intent);
      return cast(resource, store(key, { ...before, ...after }));
    },
    patch: async (resource, object, { fieldManager, subresource }) => {
      const key = keyOf(resource, object.metadata.name);
      write(`patch ${key}${subresource ? `/${subresource}` : ""}`);
      const before = existing(key);
      const { uid, resourceVersion } = { uid: undefined, resourceVersion: undefined, ...object.metadata };
      const isOther = resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion;
      if (uid !== before.metadata.uid || isOther) {
        throw new Refused("conflict", `${key}: changed since`);
      }
      if (subresource !== undefined) {
        // who owns what cannot be changed this way
        const { status: change = {} }: Fields = JSON.parse(JSON.stringify(object));
        const status = patched(before.status, change);
        const refusal = refusedByCrd({ ...object, status });
        if (refusal !== undefined) throw refusal;
        edited = agreeing(edited, { status });
        return cast(resource, store(key, { ...before, status }));
      }
      const { managedFields, ...metadata } = before.metadata;
      const given = JSON.parse(JSON.stringify(object));
      const manager = `${key} ${fieldManager} undefined`;
      const owners: Owners | undefined = given.metadata.managedFields;
      if (owners !== undefined && !owners.some((one) => one.manager === FIELD_MANAGER && one.operation === "Update")) {
        applied.set(manager, merge(posted.get(manager) ?? {}, applied.get(manager) ?? {}));
        posted.delete(manager);
      }
      const spec = given.spec === undefined ? before.spec : patched(before.spec, given.spec);
      const { annotations = {}, labels = {}, ownerReferences = metadata.ownerReferences } = given.metadata;
      const changed = {
        ...metadata,
        // who owns what is not changed owns it still, unless the patch says otherwise
        managedFields: (owners ?? managedFields)?.filter(({ manager: owner }) => owner !== FIELD_MANAGER),
        annotations: patched(metadata.annotations ?? {}, annotations),
        labels: patched(metadata.labels ?? {}, labels),
        ownerReferences,
      };
      const after = JSON.parse(JSON.stringify({ ...before, spec, metadata: changed }));
      return cast(resource, store(key, after));
    },
    delete: async (resource, { name }, options) => {
      const key = keyOf(resource, name);
      write(`delete ${key}`);
      const before = existing(key);
      if (options?.uid !== undefined && options.uid !== before.metadata.uid) throw new Refused("conflict", key);
      const { deletionTimestamp = at(), finalizers = [] } = before.metadata;
      if (finalizers.length === 0) erase(key);
      else store(key, { ...before, metadata: { ...before.metadata, deletionTimestamp } });
    },
  };

  /** What a cache is told of: of all kinds but the ModelDeployment only what has our label. */
  const cached = <T extends KubeObject>(resource: Resource<T>): T[] =>
    world
      .all(resource)
      .filter(({ kind, metadata }) => kind === KIND || metadata.labels?.["app.kubernetes.io/managed-by"] === "berth");
  const storeOf = <T extends KubeObject>(resource: Resource<T>): Store<T> => ({
    get: ({ name }) => cached(resource).find(({ metadata }) => metadata.name === name),
    list: () => cached(resource),
    ownedBy: (uid) =>
      cached(resource).filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid)),
    labelled: ({ name }) =>
      cached(resource).filter(({ metadata }) => metadata.labels?.["berth.dev/model-deployment"] === name),
  });

  /** What the Deployment and ReplicaSet controllers, the scheduler and the kubelet do, at once. */
  const act = (): void => {
    for (const pod of world.all(PODS)) {
      const deployment = world.get(DEPLOYMENTS, pod.metadata.labels?.["berth.dev/revision"] ?? "");
      if ((deployment?.spec?.replicas ?? 0) <= Number(pod.metadata.name.split("-").at(-1))) {
        erase(keyOf(pod, pod.metadata.name));
      }
    }
    for (const deployment of world.all(DEPLOYMENTS)) {
      for (let index = 0; index < (deployment.spec?.replicas ?? 0); index += 1) ensurePod(deployment, index);
      const pods = world
        .all(PODS)
        .filter((pod) => pod.metadata.labels?.["berth.dev/revision"] === deployment.metadata.name);
      const ready = pods.filter((pod) => conditionOf(pod, "Ready")?.status === "True").length;
      const status = {
        observedGeneration: deployment.metadata.generation ?? 0,
        replicas: pods.length,
        readyReplicas: ready,
        availableReplicas: ready,
      };
      store(keyOf(deployment, deployment.metadata.name), { ...deployment, status });
    }
  };
  const placedPods = (): number => world.all(PODS).filter(({ spec }) => spec?.nodeName !== undefined).length;
  const placedByRevision = (): Map<string, number> => {
    const placed = new Map<string, number>();
    for (const { metadata, spec } of world.all(PODS)) {
      if (spec?.nodeName === undefined) continue;
      const key = `${metadata.namespace}/${metadata.labels?.["berth.dev/revision"]}`;
      placed.set(key, (placed.get(key) ?? 0) + 1);
    }
    return placed;
  };
  const amounts = (pods: number) =>
    new Map([
      ["pods", BigInt(Math.max(0, pods)) * ONE],
      ...["cpu", "memory"].map((resource): [string, bigint] => [resource, 10n ** 24n]),
    ]);
  const room = (left: number) => ({
    ...{ node: "node", labels: {}, taints: [] },
    ...{ total: amounts(Math.min(world.slots, 1e6)), free: amounts(left) },
  });
  const ensurePod = ({ metadata: { name, labels = {} }, spec }: Deployment, index: number): void => {
    const fate = world.fate(name, index);
    const isPlaced = world.get(PODS, `${name}-${index}`)?.spec?.nodeName !== undefined;
    const isFull = !isPlaced && placedPods() >= world.slots;
    const {
      digest,
      ended,
      failure,
      gate,
      image,
      pending,
      ready,
      restarts = 3,
      untold = false,
    } = isFull
      ? { ...fate, ready: false, digest: undefined, pending: "0/1 nodes are available: 1 Too many pods." }
      : fate;
    const key = keyOf(PODS, `${name}-${index}`);
    const before = world.get(PODS, `${name}-${index}`);
    const placed = gate === undefined && pending === undefined && !untold ? "True" : "False";
    const told = before === undefined ? undefined : conditionOf(before, "PodScheduled");
    const was = before === undefined ? undefined : conditionOf(before, "Ready");
    const isReady = ready ? "True" : "False";
    const metadata = objects.get(key)?.metadata ?? {
      ...{ name: `${name}-${index}`, namespace: NAMESPACE, labels: { ...labels, "pod-template-hash": "hash" } },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: `${name}-hash`, uid: `${name}-hash`, controller: true },
      ],
    };
    const message = JSON.stringify({ outcome: "fetched", digest, bytes: 1 });
    const state = { terminated: { exitCode: 0, message } };
    store(key, {
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: {
        ...(placed === "True" ? { nodeName: "node" } : {}),
        ...(gate === undefined ? {} : { schedulingGates: [{ name: gate }] }),
        ...spec?.template.spec,
      },
      status: {
        conditions: [
          {
            type: "Ready",
            status: isReady,
            lastTransitionTime: was?.status === isReady ? was.lastTransitionTime : at(),
          },
          ...(untold
            ? []
            : [
                {
                  type: "PodScheduled",
                  status: placed,
                  lastTransitionTime: told?.status === placed ? told.lastTransitionTime : at(),
                  ...(gate === undefined ? {} : { reason: "SchedulingGated" }),
                  ...(pending === undefined ? {} : { reason: "Unschedulable", message: pending }),
                },
              ]),
        ],
        initContainerStatuses: [
          ...(digest === undefined ? [] : [{ name: FETCH_CONTAINER, ready: true, restartCount: 0, state }]),
          ...(image === undefined
            ? []
            : [
                {
                  name: FETCH_CONTAINER,
                  ready: false,
                  restartCount: 0,
                  image: spec?.template.spec?.initContainers?.[0]?.image ?? "",
                  state: { waiting: { reason: "ImagePullBackOff", message: image } },
                },
              ]),
        ],
        ...(failure === undefined && ended === undefined
          ? {}
          : {
              containerStatuses: [
                {
                  name: SERVER_CONTAINER,
                  ready: false,
                  restartCount: restarts,
                  state: { terminated: { exitCode: 1, message: failure ?? "", ...ended } },
                },
              ],
            }),
      },
    });
  };

  const stores: Stores = {
    modelDeployments: storeOf(MODEL_DEPLOYMENTS),
    deployments: storeOf(DEPLOYMENTS),
    services: storeOf(SERVICES),
    controllerRevisions: storeOf(CONTROLLER_REVISIONS),
    configMaps: storeOf(CONFIG_MAPS),
    disruptionBudgets: storeOf(POD_DISRUPTION_BUDGETS),
    networkPolicies: storeOf(NETWORK_POLICIES),
    modelRollouts: storeOf(MODEL_ROLLOUTS),
    pods: storeOf<Pod>(PODS),
  };
  const modelDeployment: ObjectKey = { namespace: NAMESPACE, name: NAME };
  const traffic = createTraffic();
  let observer = createObserver(() => Promise.resolve(world.counts()));
  const newOperator = (): Reconcile =>
    modelDeploymentController({
      askProgress: () => Promise.resolve(undefined),
      askRouters: () => Promise.resolve(world.routers()),
      observer,
      askRouterNews: () => world.routerNews,
      endedIn: (uid) => world.endedIn.get(uid),
      scaler: { look: (_key, subject) => subject && world.scale(subject) },
      survey: () => Promise.resolve(world.surveyed()),
      client,
      stores,
      settings: world.settings,
      operatorNamespace: "berth-system",
      clock: () => world.now,
      events: { event: (_object, type, reason) => world.events.push(`${type} ${reason}`) },
    });
  let kept: Reconcile | undefined;
  const world: World = {
    client,
    now: Date.parse("2026-01-01T00:00:00Z"),
    objects,
    writes: [],
    events: [],
    refuses: () => undefined,
    writesLeft: Number.POSITIVE_INFINITY,
    fate: () => ({ ready: true, digest: `sha256:${"a".repeat(64)}` }),
    settings: { runtimeImage: "berth-runtime:1", runtimeImagePullPolicy: "IfNotPresent", allowHttpModels: true },
    quality: () => ({ errors: 0, slower: 1 }),
    counts: () => traffic.counts(world.now, world.deployment().status?.traffic, world.quality),
    routers: () => {
      const { traffic } = world.deployment().status ?? {};
      return traffic === undefined ? [] : [traffic, traffic];
    },
    routerNews: { deployment: undefined, pods: [], obstacles: [] },
    endedIn: new Map(),
    put: (spec) => {
      const key = keyOf(MODEL_DEPLOYMENTS, NAME);
      const before = objects.get(key) ?? {
        apiVersion: API_VERSION,
        kind: KIND,
        metadata: { name: NAME, namespace: NAMESPACE },
        status: { observedGeneration: -1 },
      };
      store(key, { ...before, spec });
    },
    annotate: (resource, name, annotation, value) => {
      const before = existing(keyOf(resource, name));
      const annotations = { ...before.metadata.annotations, [annotation]: value };
      store(keyOf(resource, name), { ...before, metadata: { ...before.metadata, annotations } });
    },
    get: (resource, name) => {
      const object = objects.get(keyOf(resource, name));
      return object === undefined ? undefined : cast(resource, object);
    },
    all: (resource) => [...objects.values()].filter(isOf(resource)),
    slots: Number.POSITIVE_INFINITY,
    scale: ({ replicas = 1 }) => ({
      ...{
        wanted: replicas,
        canary: undefined,
        why: "load",
        words: "",
        learnt: undefined,
        shortage: undefined,
        deaf: undefined,
      },
    }),
    surveyed: () =>
      Number.isFinite(world.slots)
        ? { rooms: [room(world.slots - placedPods())], waiting: [], placed: placedByRevision(), priorities: new Map() }
        : undefined,
    isOneOperator: false,
    isGone: false,
    erase: (resource, name) => erase(keyOf(resource, name)),
    deployment: () => cast(MODEL_DEPLOYMENTS, existing(keyOf(MODEL_DEPLOYMENTS, NAME))),
    observed: () => {
      const seen = observe(stores, modelDeployment, world.now);
      if (seen === undefined) throw new Error(`no ${NAME}`);
      return seen;
    },
    reconcile: async () => {
      if (!world.isOneOperator || kept === undefined) kept = newOperator();
      return await kept(modelDeployment, context);
    },
    act,
    changeLeader: () => {
      kept = undefined;
      observer = createObserver(() => Promise.resolve(world.counts()));
    },
    loseStatus: () => {
      const { status: _, ...rest } = existing(keyOf(MODEL_DEPLOYMENTS, NAME));
      store(keyOf(MODEL_DEPLOYMENTS, NAME), rest);
    },
    editStatus: (status) => {
      const key = keyOf(MODEL_DEPLOYMENTS, NAME);
      const own = `${key} ${FIELD_MANAGER} status`;
      const after: Fields = { status: structuredClone(status) };
      applied.set(own, { ...applied.get(own), ...agreeing({ status: applied.get(own)?.status ?? {} }, after) });
      edited = beside(applied.get(own) ?? {}, after);
      store(key, { ...existing(key), ...after });
    },
    renameReasons: (names) => {
      const object = world.deployment();
      const conditions = object.status?.conditions?.map((one) => ({ ...one, reason: names[one.reason] ?? one.reason }));
      const status = { ...object.status, conditions };
      store(keyOf(MODEL_DEPLOYMENTS, NAME), { ...existing(keyOf(MODEL_DEPLOYMENTS, NAME)), status });
    },
    settle: async () => {
      const { isOneOperator } = world;
      if (!isOneOperator) kept = undefined;
      // what is tried again at ever longer intervals would never come to rest
      world.isOneOperator = true;
      for (let round = 0; round < 300; round += 1) {
        const before = version;
        const { requeueAfterMs } = await world.reconcile();
        act();
        if (version !== before) continue;
        if (requeueAfterMs === undefined || requeueAfterMs > 20_000) {
          world.isOneOperator = isOneOperator;
          return;
        }
        world.now += requeueAfterMs;
      }
      throw new Error(`no rest after 300 rounds: ${world.writes.slice(-12).join("; ")}`);
    },
  };
  return world;
};
