/** What the bench does and sees: one client, two watches, one clock. */
import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration } from "../../../contract/duration.ts";
import {
  findCondition,
  MODEL_DEPLOYMENT_LABEL,
  MODEL_DEPLOYMENTS,
  type ModelDeployment,
} from "../../../operator/api/v1alpha1/index.ts";
import { createCaches } from "../../../operator/platform/cache/caches.ts";
import { createClient } from "../../../operator/platform/kube/create-client.ts";
import { readKubeConfig } from "../../../operator/platform/kube/kubeconfig.ts";
import type { Deployment } from "../../../operator/platform/kube/objects.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../../../operator/platform/kube/resources.ts";
import { createTransport } from "../../../operator/platform/kube/transport.ts";
import { createWatch } from "../../../operator/platform/kube/watch.ts";
import { openLimit } from "./limit.ts";

const POLL_MS = 5;
/** Applied at one time, as the peers' were. */
const LANES = 10;
/** Between two looks at how fast the API server answers. */
const PROBE_MS = 200;

/** What tells the revisions of one object apart in its children: a request timeout of so many milliseconds. */
export type Version = number;
export const FIRST_VERSION: Version = 30_000;

/** Where the limit's objects are, beside a run's own. */
export const limitNamespace = (namespace: string): string => `${namespace}-limit`;

export const nameOf = (index: number): string => `m${index}`;

const keyOf = (index: number, version: Version): string => `${nameOf(index)} ${formatDuration(version)}`;

const versionIn = ({ spec }: Deployment): string | undefined => {
  const args = spec?.template.spec?.containers[0]?.args ?? [];
  return args[args.indexOf("--request-timeout") + 1];
};

export type Harness = Awaited<ReturnType<typeof openHarness>>;

/** @param spec of every ModelDeployment, without its server. */
export const openHarness = async (kubeconfig: string, namespace: string, spec: object) => {
  const transport = createTransport(readKubeConfig(kubeconfig));
  const client = createClient(transport);
  const caches = createCaches(client, createWatch(transport), (kind, error) =>
    console.error(`the bench's watch of ${kind}: ${error.message}`),
  );
  const models = caches.of(MODEL_DEPLOYMENTS);
  const children = caches.of(DEPLOYMENTS);
  const limit = openLimit(client, caches, children, limitNamespace(namespace));
  const stop = new AbortController();
  const running = caches.run(stop.signal);
  /** When a child of that object first had that version, and was first ready with it. */
  const seen = new Map<string, number>();
  const ready = new Map<string, number>();
  children.subscribe((change) => {
    if (change.type === "deleted") return;
    const { metadata } = change.object;
    const key = `${metadata.labels?.[MODEL_DEPLOYMENT_LABEL]} ${versionIn(change.object)}`;
    if (!seen.has(key)) seen.set(key, performance.now());
    const isReady = (change.object.status?.readyReplicas ?? 0) > 0;
    if (isReady && !ready.has(key)) ready.set(key, performance.now());
  });

  const until = async (what: string, holds: () => boolean, seconds: number): Promise<number> => {
    for (const end = performance.now() + seconds * 1000; !holds(); await sleep(POLL_MS)) {
      if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    }
    return performance.now();
  };
  await until("the bench's own caches are synced", caches.hasSynced, 60);

  const key = (index: number) => ({ namespace, name: nameOf(index) });
  const apply = async (index: number, version: Version): Promise<void> => {
    const { apiVersion, kind } = MODEL_DEPLOYMENTS;
    const server = { requestTimeout: formatDuration(version) };
    const object = { apiVersion, kind, metadata: key(index), spec: { ...spec, server } };
    await client.apply(MODEL_DEPLOYMENTS, object, { fieldManager: "bench" });
  };
  const inLanes = async (count: number, act: (index: number) => Promise<void>): Promise<void> => {
    let next = 0;
    const lane = async () => {
      while (next < count) await act(next++);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  };

  const measureLimit = async (index: number): Promise<number> => {
    const [deployment] = [...children.list()].filter(
      ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[MODEL_DEPLOYMENT_LABEL] === nameOf(index),
    );
    const { items } = await client.list(CONTROLLER_REVISIONS, { namespace, limit: 1 });
    const [revision] = items;
    if (deployment === undefined || revision === undefined) throw new Error(`${nameOf(index)} has no children`);
    return await limit.measure(revision, deployment);
  };

  return {
    apply,
    until,
    /** Milliseconds that a change takes at least, with children like those of this object. */
    limit: measureLimit,
    applyAll: (count: number) => inLanes(count, (index) => apply(index, FIRST_VERSION)),
    deleteAll: (count: number) => inLanes(count, (index) => client.delete(MODEL_DEPLOYMENTS, key(index))),
    /** When (performance.now()) a child of the object first had the version. */
    seenAt: (index: number, version: Version): number | undefined => seen.get(keyOf(index, version)),
    readyAt: (index: number, version: Version): number | undefined => ready.get(keyOf(index, version)),
    children: (): Deployment[] => [...children.list()].filter(({ metadata }) => metadata.namespace === namespace),
    model: (index: number): ModelDeployment | undefined => models.get(key(index)),
    /** Starts to ask the API server for an object, again and again; `end` resolves with the milliseconds that each answer took. */
    probe: () => {
      const latencies: number[] = [];
      const ending = new AbortController();
      const asking = (async () => {
        while (!ending.signal.aborted && !stop.signal.aborted) {
          const begun = performance.now();
          await client.list(MODEL_DEPLOYMENTS, { namespace, limit: 1 });
          latencies.push(performance.now() - begun);
          await sleep(PROBE_MS, undefined, { signal: ending.signal }).catch(() => undefined);
        }
      })().catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
      return {
        end: async (): Promise<number[]> => {
          ending.abort();
          await asking;
          return latencies;
        },
      };
    },
    async close(): Promise<void> {
      stop.abort();
      await running;
      await transport.close();
    },
  };
};

/** Its status speaks of this spec, and says that it is Ready and has nothing left to do but to clear up. */
export const isReady = (object: ModelDeployment | undefined): boolean =>
  object?.status?.observedGeneration === object?.metadata.generation &&
  findCondition(object?.status?.conditions, "Ready")?.status === "True";
