/** Asks the API server what the nodes have left, when somebody wants to know: nothing is watched for it. */

import { REVISION_LABEL } from "../api/v1alpha1/index.ts";
import type { Client, ListOptions } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { KubeObject, Node, Resource } from "../kube/objects.ts";
import { DEVICE_CLASSES, NODES, PODS, PRIORITY_CLASSES, RESOURCE_CLAIMS, RESOURCE_SLICES } from "../kube/resources.ts";
import { claimedBy, type Inventory, offeredBy, withSlices } from "./claimed.ts";
import type { PodSpec } from "./request.ts";
import { type Room, roomsOf, type Taken, take } from "./room.ts";

/** A hundred ModelDeployments that wait for the same devices ask for one survey. */
const FRESH_MS = 10_000;
const PAGE = 500;
/** It makes a message better, and must not hold up a reconcile that has more to do. */
const TIMEOUT_MS = 5_000;
/** Pods that no node has taken yet, and how many of them are kept. */
const WAITING = "spec.nodeName=,status.phase=Pending";
const MOST_WAITING = 5000;
/** Pods that hold something of a node: the scheduler's rule. */
const HOLDING = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed";

/** A pod that no node has taken yet. */
export type Waiting = { namespace: string; name: string; labels: Readonly<Record<string, string>>; spec: PodSpec };

export type Surveyed = {
  rooms: Room[];
  waiting: Waiting[];
  /** Pods that have a node, of each revision (`namespace/revision`): what the rooms are without. */
  placed: ReadonlyMap<string, number>;
  /** Of each priority class, by its name; `""`: of pods that name none. */
  priorities: ReadonlyMap<string, number>;
};

/** Undefined where the operator may not list nodes, or the API server does not answer: an explanation says less then. */
export type Survey = (now: number) => Promise<Surveyed | undefined>;

/** `onFailure` is told why there is none, once for each reason: an operator without the right to look asks all its life. */
export const createSurvey = (client: Client, onFailure: (error: unknown) => void): Survey => {
  let last: { at: number; surveyed: Promise<Surveyed | undefined> } | undefined;
  let reason: string | undefined;
  return (now) => {
    if (last === undefined || now >= last.at + FRESH_MS) {
      const surveyed = look(client).then(
        (found) => {
          reason = undefined;
          return found;
        },
        (error: unknown) => {
          if (String(error) !== reason) onFailure(error);
          reason = String(error);
          return undefined;
        },
      );
      last = { at: now, surveyed };
    }
    return last.surveyed;
  };
};

/** Page by page, of which only sums are kept, and the pods that wait. */
const look = async (client: Client): Promise<Surveyed> => {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const nodes: Node[] = [];
  for await (const page of pagesOf(client, NODES, {}, signal)) nodes.push(...page);
  const inventory = await inventoryOf(client, signal);
  let taken: Taken = new Map();
  const placed = new Map<string, number>();
  for await (const page of pagesOf(client, PODS, { fieldSelector: HOLDING }, signal)) {
    taken = take(taken, page);
    for (const { metadata } of page) {
      const revision = metadata.labels?.[REVISION_LABEL];
      if (revision === undefined || metadata.deletionTimestamp !== undefined) continue;
      const key = `${metadata.namespace}/${revision}`;
      placed.set(key, (placed.get(key) ?? 0) + 1);
    }
  }
  const waiting: Waiting[] = [];
  for await (const page of pagesOf(client, PODS, { fieldSelector: WAITING }, signal))
    for (const { metadata, spec } of page)
      if (spec !== undefined && waiting.length < MOST_WAITING)
        waiting.push({ namespace: metadata.namespace ?? "", name: metadata.name, labels: metadata.labels ?? {}, spec });
  const priorities = new Map<string, number>();
  for await (const page of pagesOf(client, PRIORITY_CLASSES, {}, signal))
    for (const { globalDefault, metadata, value = 0 } of page) {
      priorities.set(metadata.name, value);
      if (globalDefault === true) priorities.set("", value);
    }
  return { rooms: roomsOf(nodes, taken, inventory), waiting, placed, priorities };
};

/** Without the right to look, or without an answer, the rest is counted all the same. */
const inventoryOf = async (client: Client, signal: AbortSignal): Promise<Inventory> => {
  const offered = new Set<string>();
  try {
    for await (const page of pagesOf(client, DEVICE_CLASSES, {}, signal))
      for (const name of offeredBy(page)) offered.add(name);
    // without a class there is no claim
    return { offered, unclaimed: offered.size === 0 ? new Map() : await unclaimedBy(client, signal) };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    const isUnheardOf = error.kind === "notFound";
    return { offered: isUnheardOf ? offered : undefined, unclaimed: undefined };
  }
};

const unclaimedBy = async (client: Client, signal: AbortSignal): Promise<Inventory["unclaimed"]> => {
  try {
    const claimed = new Set<string>();
    for await (const page of pagesOf(client, RESOURCE_CLAIMS, {}, signal))
      for (const device of claimedBy(page)) claimed.add(device);
    let unclaimed: Inventory["unclaimed"] = new Map();
    for await (const page of pagesOf(client, RESOURCE_SLICES, {}, signal))
      unclaimed = withSlices(unclaimed, page, claimed);
    return unclaimed;
  } catch (error) {
    if (error instanceof KubeError) return undefined;
    throw error;
  }
};

async function* pagesOf<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options: ListOptions,
  signal: AbortSignal,
) {
  let from: ListOptions | undefined = { ...options, limit: PAGE };
  while (from !== undefined) {
    const page: Awaited<ReturnType<typeof client.list<T>>> = await client.list(resource, from, signal);
    yield page.items;
    from = page.continue === undefined ? undefined : { ...from, continue: page.continue };
  }
}
