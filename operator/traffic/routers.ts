/** Asks the routers of a namespace which tables they follow, and what they have counted. */
import { ROUTER_LABEL } from "../api/v1alpha1/index.ts";
import type { Store } from "../cache/store.ts";
import type { ObjectKey, Pod } from "../kube/objects.ts";
import type { Report } from "./acknowledged.ts";

export type PodCounts = { requests: number; errors: number; buckets: readonly number[] };

type Pairs = { compared: number; disagreed: number };

/**
 * What came of copies of requests: stable's answer compared with the canary's, and with stable's own to the same request; copies that
 * the canary failed to answer; those whose answers nobody can compare; and what was wrong with the last one of other tensors, or none.
 */
export type ShadowCounts = {
  canary: Pairs;
  self: Pairs;
  failed: number;
  incomparable: number;
  reason?: string | undefined;
};

/** What a router says of one ModelDeployment. */
export type ModelStatus = {
  epoch: number;
  port?: number | undefined;
  revisions: Readonly<Record<string, { evidence: Readonly<Record<string, PodCounts>> }>>;
  shadow: ShadowCounts;
};

/** What one router tells; `started` is RFC 3339. Undefined where it does not answer. */
export type AskRouter = (
  address: string,
) => Promise<{ started: string; models: Readonly<Record<string, ModelStatus>> } | undefined>;

/** One report for each router that is ready. */
export type AskRouters = (modelDeployment: ObjectKey) => Promise<Report[]>;

/** Of one router since it was started; `id` names it and its start, which was at `startedAt` (ms since 1970). */
export type RouterCounts = {
  id: string;
  startedAt: number;
  revisions: Readonly<Record<string, Readonly<Record<string, PodCounts>>>>;
  shadow: ShadowCounts;
};

export const createAskRouters =
  (pods: Pick<Store<Pod>, "list">, ask: AskRouter): AskRouters =>
  async ({ name, namespace }) =>
    await Promise.all(addresses(pods, namespace).map(async (address) => (await ask(address))?.models[name]));

/** Those that do not answer, or do not know the ModelDeployment, are left out. */
export const createAskCounts =
  (pods: Pick<Store<Pod>, "list">, ask: AskRouter) =>
  async ({ name, namespace }: ObjectKey): Promise<RouterCounts[]> => {
    const asked = addresses(pods, namespace).map(async (address): Promise<RouterCounts[]> => {
      const told = await ask(address);
      const model = told?.models[name];
      if (told === undefined || model === undefined) return [];
      const revisions = Object.entries(model.revisions).map(
        ([revision, { evidence }]) => [revision, evidence] as const,
      );
      return [
        {
          id: `${address} ${told.started}`,
          startedAt: Date.parse(told.started),
          revisions: Object.fromEntries(revisions),
          shadow: model.shadow,
        },
      ];
    });
    return (await Promise.all(asked)).flat();
  };

/** Those that are ready, in any of these namespaces. */
export const readyRouters = (
  pods: Pick<Store<Pod>, "list">,
  namespaces: ReadonlySet<string>,
): { namespace: string; name: string; address: string }[] =>
  [...pods.list()].flatMap((pod) => {
    const { name, namespace = "" } = pod.metadata;
    const address = pod.status?.podIP;
    return address !== undefined && namespaces.has(namespace) && isReadyRouter(pod, namespace)
      ? [{ namespace, name, address }]
      : [];
  });

const addresses = (pods: Pick<Store<Pod>, "list">, namespace: string): string[] =>
  [...pods.list()].filter((pod) => isReadyRouter(pod, namespace)).map(({ status }) => status?.podIP ?? "");

const isReadyRouter = ({ metadata, status }: Pod, namespace: string): boolean =>
  metadata.namespace === namespace &&
  metadata.labels?.[ROUTER_LABEL] === "true" &&
  metadata.deletionTimestamp === undefined &&
  status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
