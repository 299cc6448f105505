/** A model that takes its time to be fetched: which pod to ask how far it is, and what to say. */
import { FETCH_CONTAINER, type FetchProgress, formatBytes } from "../../api/v1alpha1/index.ts";
import type { ObjectKey } from "../../platform/kube/objects.ts";
import { podsOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** Most models are there before anybody would read of them. */
const PATIENCE_MS = 10_000;
/** A status is written that often at most because of it. */
const INTERVAL_MS = 30_000;

/** Asks the pod at this address. Undefined if it does not answer. */
export type AskProgress = (address: string) => Promise<FetchProgress | undefined>;

export type Fetching = { pod: string; address: string; since: number };

/** The first pod of the revision whose fetch is running. Pure. */
export const fetchingOf = (observed: Observed, revision: Revision): Fetching | undefined =>
  podsOf(observed, revision)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap(({ metadata, status }) => {
      const fetch = status?.initContainerStatuses?.find(({ name }) => name === FETCH_CONTAINER);
      const since = Date.parse(fetch?.state?.running?.startedAt ?? "");
      const address = status?.podIP;
      return address === undefined || Number.isNaN(since) ? [] : [{ pod: metadata.uid ?? "", address, since }];
    })
    .toSorted((one, other) => one.since - other.since)[0];

export type Told = { progress?: FetchProgress | undefined; againAfterMs?: number };

/** Asks each ModelDeployment's pod once in a while; in between, what it said last holds. */
export const createFetchWatch = (ask: AskProgress) => {
  const told = new Map<string, { pod: string; at: number; progress: FetchProgress | undefined }>();
  return {
    async look({ namespace, name }: ObjectKey, fetching: Fetching | undefined, now: number): Promise<Told> {
      const key = `${namespace}/${name}`;
      if (fetching === undefined) {
        told.delete(key);
        return {};
      }
      const first = fetching.since + PATIENCE_MS;
      if (now < first) return { againAfterMs: first - now };
      const known = told.get(key);
      const isFresh = known?.pod === fetching.pod && now < known.at + INTERVAL_MS;
      if (isFresh) return { progress: known.progress, againAfterMs: known.at + INTERVAL_MS - now };
      const progress = await ask(fetching.address);
      told.set(key, { pod: fetching.pod, at: now, progress });
      return { progress, againAfterMs: INTERVAL_MS };
    },
  };
};

/** Reads like `1.2 GiB of 3.4 GiB are fetched, about 4 min left`. Pure. */
export const inWords = ({ bytes, total, seconds }: FetchProgress): string => {
  if (bytes === 0) return "the model's server has sent no byte yet";
  if (total === undefined) return `${formatBytes(bytes)} of the model fetched`;
  const left = ((total - bytes) * seconds) / bytes;
  return `${formatBytes(bytes)} of ${formatBytes(total)} fetched, ${aboutMinutes(left)} left`;
};

const aboutMinutes = (seconds: number): string => {
  if (seconds < 45) return "less than a minute";
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `about ${minutes} min` : `about ${Math.round(minutes / 60)} h`;
};
