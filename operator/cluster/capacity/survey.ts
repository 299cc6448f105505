/** Asks the API server what the nodes have left, when somebody wants to know: nothing is watched for it. */

import { MODEL_DEPLOYMENT_LABEL, REVISION_LABEL } from "../../api/v1alpha1/index.ts";
import { choiceOf, partsOf } from "../../domain/placement/choice.ts";
import { addSlice, claimedBy, type Inventory, offeredBy } from "../../domain/placement/claimed.ts";
import { type PodSpec, requestOf } from "../../domain/placement/request.ts";
import { roomsOf, type Taken, take } from "../../domain/placement/room.ts";
import { inSlices } from "../../domain/placement/slices.ts";
import type { Surveyed, Waiting } from "../../domain/placement/surveyed.ts";
import type { Client, ListOptions } from "../../platform/kube/client.ts";
import { KubeError } from "../../platform/kube/errors.ts";
import type { KubeObject, Node, Resource } from "../../platform/kube/objects.ts";
import {
  DEVICE_CLASSES,
  NODES,
  PODS,
  PRIORITY_CLASSES,
  RESOURCE_CLAIMS,
  RESOURCE_SLICES,
} from "../../platform/kube/resources.ts";

/** A hundred ModelDeployments that wait for the same devices ask for one survey. */
const FRESH_MS = 10_000;
const PAGE = 500;
/** It makes a message better, and must not hold up a reconcile that has more to do. */
const TIMEOUT_MS = 5_000;
/** Pods that no node has taken yet; how many of them are kept, and how many quantities, tolerations and other wishes of theirs. */
const WAITING = "spec.nodeName=,status.phase=Pending";
const MOST_WAITING = 5000;
const MOST_PARTS = 200_000;
/** Pods that hold something of a node: the scheduler's rule. */
const HOLDING = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed";

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

export const waitingOf = ({ labels, name, namespace = "" }: KubeObject["metadata"], spec: PodSpec): Waiting => ({
  ...{ namespace, name, model: labels?.[MODEL_DEPLOYMENT_LABEL] },
  ...{ choice: choiceOf(spec), request: requestOf(spec) },
});

/** Item by item, of which only sums are kept, and the pods that wait. */
const look = async (client: Client): Promise<Surveyed> => {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const nodes: Node[] = [];
  await eachOf(client, NODES, {}, signal, (node) => nodes.push(node));
  const inventory = await inventoryOf(client, signal);
  const taken: Taken = new Map();
  const placed = new Map<string, number>();
  await eachOf(client, PODS, { fieldSelector: HOLDING }, signal, (pod) => {
    take(taken, pod);
    const { deletionTimestamp, labels, namespace } = pod.metadata;
    const revision = labels?.[REVISION_LABEL];
    if (revision === undefined || deletionTimestamp !== undefined) return;
    const key = `${namespace}/${revision}`;
    placed.set(key, (placed.get(key) ?? 0) + 1);
  });
  const waiting: Waiting[] = [];
  let parts = 0;
  await eachOf(client, PODS, { fieldSelector: WAITING }, signal, ({ metadata, spec }) => {
    if (spec === undefined || waiting.length >= MOST_WAITING) return;
    const one = waitingOf(metadata, spec);
    parts += partsOf(one.choice) + one.request.size;
    if (parts <= MOST_PARTS) waiting.push(one);
  });
  const priorities = new Map<string, number>();
  await eachOf(client, PRIORITY_CLASSES, {}, signal, ({ globalDefault, metadata, value = 0 }) => {
    priorities.set(metadata.name, value);
    if (globalDefault === true) priorities.set("", value);
  });
  return { rooms: await inSlices(roomsOf(nodes, taken, inventory)), waiting, placed, priorities };
};

/** Without the right to look, or without an answer, the rest is counted all the same. */
const inventoryOf = async (client: Client, signal: AbortSignal): Promise<Inventory> => {
  const offered = new Set<string>();
  try {
    await eachOf(client, DEVICE_CLASSES, {}, signal, (one) => {
      for (const name of offeredBy(one)) offered.add(name);
    });
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
    await eachOf(client, RESOURCE_CLAIMS, {}, signal, (claim) => {
      for (const device of claimedBy(claim)) claimed.add(device);
    });
    const unclaimed = new Map<string, number>();
    let isKnown = true;
    await eachOf(client, RESOURCE_SLICES, {}, signal, (slice) => {
      isKnown = addSlice(unclaimed, slice, claimed) && isKnown;
    });
    return isKnown ? unclaimed : undefined;
  } catch (error) {
    if (error instanceof KubeError) return undefined;
    throw error;
  }
};

/** All of a kind, page by page. */
const eachOf = async <T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options: ListOptions,
  signal: AbortSignal,
  visit: (object: T) => void,
): Promise<void> => {
  let from: ListOptions | undefined = { ...options, limit: PAGE };
  while (from !== undefined) {
    const page: { continue?: string } = await client.each(resource, from, visit, signal);
    from = page.continue === undefined ? undefined : { ...from, continue: page.continue };
  }
};
