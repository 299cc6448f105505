/** A revision, and its pods. */
import type { Pod } from "./balance.ts";
import { type ArmCounters, createArmCounters, createEvidence, type Evidence } from "./counters.ts";
import { createDemand, type Demand } from "./demand.ts";
import type { Events, Message, Protocol, Sent } from "./message.ts";
import { createReaches, type Reach, type Reaches } from "./reach.ts";
import type { WaitingRoom } from "./waiting-room.ts";

/** Where a pod answers. */
export type PodPlace = { name: string; host: string; httpPort: number; grpcPort: number };

/** The connections to one pod. */
export type PodClient = {
  send(message: Message, events: Events): Sent;
  sweep(now: number): void;
  /** It is not used for what comes. */
  retire(): void;
};

export type Connect = (place: PodPlace) => PodClient;

export type LivePod = Pod & {
  place: PodPlace;
  client: PodClient;
  evidence: Evidence;
  /** It has said itself that it is ready, and the API server has not heard of it yet. */
  asked: boolean;
  /** Streams that are open on it; `outstanding` is without them. */
  streams: number;
  reach: Reaches;
};

export type Arm = {
  revision: string;
  pods: readonly LivePod[];
  room: WaitingRoom;
  counters: ArmCounters;
  demand: Demand;
  /** Of requests that found no pod to fail on. */
  evidence: Evidence;
  /** Whether it can be tried, while none of its pods takes connections. */
  reach: Reaches;
  /** Pods that have left, until those who read the counters have had the time to see their last ones. */
  departed: readonly { pod: LivePod; at: number }[];
};

export type Seen = PodPlace & { isReady: boolean; isTerminating: boolean };

/** What a request needs of a pod. */
export type Wish = { protocol: Protocol; isStream: boolean; not: ReadonlySet<LivePod> };

/** A place on a pod that a request has taken. */
export type Slot = {
  readonly arm: Arm;
  readonly pod: LivePod;
  readonly protocol: Protocol;
  isStream: boolean;
  /** It finds out for others whether the pod, or a pod of the revision, takes connections again. */
  probes: readonly Reach[];
};

export const createArm = (revision: string, room: WaitingRoom): Arm => ({
  revision,
  pods: [],
  room,
  counters: createArmCounters(),
  demand: createDemand(),
  evidence: createEvidence(),
  reach: createReaches(),
  departed: [],
});

export const adopt = (seen: Seen, before: LivePod | undefined, connect: Connect): LivePod => {
  if (before === undefined || !samePlace(before.place, seen)) return createPod(seen, connect);
  if (seen.isReady || seen.isTerminating) before.asked = false;
  const wasReady = before.isReady;
  before.isReady = seen.isReady || before.asked;
  // what was found of it before it was started again says nothing
  if (before.isReady && !wasReady) before.reach = createReaches();
  return before;
};

const createPod = ({ name, host, httpPort, grpcPort, isReady }: Seen, connect: Connect): LivePod => {
  const place = { name, host, httpPort, grpcPort };
  return {
    ...{ isReady, outstanding: 0, streams: 0, place, client: connect(place) },
    ...{ evidence: createEvidence(), asked: false, reach: createReaches() },
  };
};

const samePlace = (one: PodPlace, other: PodPlace): boolean =>
  one.host === other.host && one.httpPort === other.httpPort && one.grpcPort === other.grpcPort;
