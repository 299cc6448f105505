/** Asks the routers of a namespace which tables they follow, and what they have counted. */
import { ROUTER_LABEL, ROUTER_NAME } from "../../api/v1alpha1/index.ts";
import type { PodCounts, RouterCounts, ShadowCounts } from "../../domain/rollout/router-counts.ts";
import type { Report } from "../../domain/traffic/acknowledged.ts";
import type { Store } from "../../platform/cache/store.ts";
import type { ObjectKey, Pod } from "../../platform/kube/objects.ts";
import { isPodOf } from "../../platform/kube/pod-owner.ts";

/** What a router says of one ModelDeployment. */
export type ModelStatus = {
  epoch: number;
  port?: number | undefined;
  revisions: Readonly<Record<string, { evidence: Readonly<Record<string, PodCounts>> }>>;
  shadow: ShadowCounts;
};

/** `started`: RFC 3339, by its node's clock. `ageMs`: since then, by a monotonic one. */
type RouterAnswer = { started: string; ageMs?: number | undefined; models: Readonly<Record<string, ModelStatus>> };

/** What one router tells. Undefined where it does not answer. */
export type AskRouter = (address: string) => Promise<RouterAnswer | undefined>;

/** One report for each router that is ready. */
export type AskRouters = (modelDeployment: ObjectKey) => Promise<Report[]>;

/** A table reaches a router within some ten milliseconds; one that is not followed yet is asked about again later anyway. */
const FRESH_MS = 250;

/**
 * Asks each router once where many want to know the same: an answer is about all ModelDeployments of its namespace. What it says may be older
 * than the question by `FRESH_MS`, in which a router may have gone on, and never back.
 */
export const together = (ask: AskRouter, now: () => number): AskRouter => {
  const answers = new Map<string, { at: number; answer: ReturnType<AskRouter> }>();
  return (address) => {
    const time = now();
    const known = answers.get(address);
    if (known !== undefined && time - known.at < FRESH_MS) return known.answer;
    // those that are gone are not asked for again
    for (const [other, { at }] of answers) if (time - at >= FRESH_MS) answers.delete(other);
    const answer = ask(address);
    answers.set(address, { at: time, answer });
    return answer;
  };
};

/** There are two, and a third while they are replaced; whoever has scaled them up gets no more of the operator's time for it. */
const MOST_ROUTERS = 16;
/** Asked at a time. */
const AT_ONCE = 4;
/** Routers that do not answer; each of them costs a second. */
const MOST_SILENT = 4;

/** One answer for each router; of one that is not asked any more, because others have not answered, it is undefined. */
const askEach = async (pods: Pick<Store<Pod>, "list">, namespace: string, ask: AskRouter): Promise<Answer[]> => {
  const addresses = [...pods.list()]
    .filter((pod) => isReadyRouter(pod, namespace))
    .map(({ status }) => status?.podIP ?? "");
  const answers = addresses.map((): Answer => ({ address: "", told: undefined }));
  let [next, silent] = [0, 0];
  const work = async (): Promise<void> => {
    for (let i = next++; i < Math.min(addresses.length, MOST_ROUTERS) && silent < MOST_SILENT; i = next++) {
      const address = addresses[i] ?? "";
      const told = await ask(address);
      if (told === undefined) silent++;
      answers[i] = { address, told };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return answers;
};

type Answer = { address: string; told: Awaited<ReturnType<AskRouter>> };

/** A ModelDeployment may be called `constructor`. */
const own = <T>(of: Readonly<Record<string, T>> | undefined, name: string): T | undefined =>
  of !== undefined && Object.hasOwn(of, name) ? of[name] : undefined;

export const createAskRouters =
  (pods: Pick<Store<Pod>, "list">, ask: AskRouter): AskRouters =>
  async ({ name, namespace }) =>
    (await askEach(pods, namespace, ask)).map(({ told }) => own(told?.models, name));

/** Those that do not answer, or do not know the ModelDeployment, are left out. `clock`: milliseconds since 1970. */
export const createAskCounts =
  (pods: Pick<Store<Pod>, "list">, ask: AskRouter, clock: () => number) =>
  async ({ name, namespace }: ObjectKey): Promise<RouterCounts[]> =>
    (await askEach(pods, namespace, ask)).flatMap(({ address, told }): RouterCounts[] => {
      const model = own(told?.models, name);
      if (told === undefined || model === undefined) return [];
      const revisions = Object.entries(model.revisions).map(
        ([revision, { evidence }]) => [revision, evidence] as const,
      );
      return [
        {
          id: `${address} ${told.started}`,
          // its node's clock may be off, and this is compared with times of ours
          startedAt: told.ageMs === undefined ? Date.parse(told.started) : clock() - told.ageMs,
          revisions: Object.fromEntries(revisions),
          shadow: model.shadow,
        },
      ];
    });

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

/** By its owner: what a router says moves traffic and takes pods away. */
const isReadyRouter = (pod: Pod, namespace: string): boolean =>
  pod.metadata.namespace === namespace &&
  pod.metadata.labels?.[ROUTER_LABEL] === "true" &&
  isPodOf(pod, ROUTER_NAME) &&
  pod.metadata.deletionTimestamp === undefined &&
  pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
