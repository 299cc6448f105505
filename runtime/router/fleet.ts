/** The revisions of one ModelDeployment and their pods, as they are now. */
import type { Pod } from "./balance.ts";
import { type ArmCounters, createArmCounters, createEvidence, type Evidence } from "./counters.ts";
import { createDemand, type Demand } from "./demand.ts";
import type { Limits } from "./hold.ts";
import type { Events, Message, Sent } from "./message.ts";
import { createWaitingRoom, type WaitingRoom } from "./waiting-room.ts";

/** Where a pod answers. */
export type PodPlace = { name: string; host: string; httpPort: number; grpcPort: number };

/** The connections to one pod. */
export type PodClient = {
  send(message: Message, events: Events): Sent;
  sweep(now: number): void;
  /** It is not used for what comes. */
  retire(): void;
};

export type LivePod = Pod & {
  place: PodPlace;
  client: PodClient;
  evidence: Evidence;
  /** It has said itself that it is ready, and the API server has not heard of it yet. */
  asked: boolean;
  /** It could not be reached; until then others are tried first. */
  avoidUntil: number;
};

export type Arm = {
  revision: string;
  pods: readonly LivePod[];
  room: WaitingRoom;
  counters: ArmCounters;
  demand: Demand;
  /** Of requests that found no pod to fail on. */
  evidence: Evidence;
  /** Pods that have left, until those who read the counters have had the time to see their last ones. */
  departed: readonly { pod: LivePod; at: number }[];
};

export type Seen = PodPlace & { isReady: boolean; isTerminating: boolean };

export type Fleet = {
  /** Makes it where it is not known. */
  arm(revision: string): Arm;
  arms(): readonly Arm[];
  /** The pods of a revision, as the API server has them. One that was found ready by asking stays so until that knows it, too. */
  setPods(revision: string, seen: readonly Seen[]): void;
  /** A pod has answered that it is ready. */
  setReady(revision: string, pod: string): void;
  /** Forgets revisions that are none of these, once nothing of them is under way. */
  keepOnly(revisions: ReadonlySet<string>): void;
  /** A pod has answered a request: whoever waits may have its place. */
  freed(arm: Arm): void;
  sweep(now: number): void;
};

export type FleetOptions = {
  limits(): Limits;
  /** Requests under way on one pod. */
  cap: number;
  connect(place: PodPlace): PodClient;
  now(): number;
};

/** Longer than the 10 s between two readings, several times over. */
const DEPARTED_MS = 120_000;

export const createFleet = ({ limits, cap, connect, now }: FleetOptions): Fleet => {
  const arms = new Map<string, Arm>();

  const armOf = (revision: string): Arm => {
    const known = arms.get(revision);
    if (known !== undefined) return known;
    const arm: Arm = {
      revision,
      pods: [],
      room: createWaitingRoom(limits, now),
      counters: createArmCounters(),
      demand: createDemand(),
      evidence: createEvidence(),
      departed: [],
    };
    arms.set(revision, arm);
    return arm;
  };

  const free = ({ pods }: Arm): number =>
    pods.reduce((sum, { isReady, outstanding }) => sum + (isReady ? Math.max(0, cap - outstanding) : 0), 0);

  /** Free places are for those who wait for this revision first; then for those whose own revision has no pod that is ready. */
  const release = (arm: Arm, count: number): void => {
    const waiting = arm.room.size();
    arm.room.release(count);
    let left = count - waiting;
    for (const other of arms.values()) {
      if (left <= 0) return;
      if (other === arm || other.pods.some(({ isReady }) => isReady)) continue;
      const others = other.room.size();
      other.room.release(left);
      left -= others;
    }
  };

  const adopt = (seen: Seen, before: LivePod | undefined): LivePod => {
    if (before !== undefined && samePlace(before.place, seen)) {
      if (seen.isReady || seen.isTerminating) before.asked = false;
      before.isReady = seen.isReady || before.asked;
      return before;
    }
    const { name, host, httpPort, grpcPort, isReady } = seen;
    const place = { name, host, httpPort, grpcPort };
    return {
      ...{ address: host, isReady, outstanding: 0, place, client: connect(place) },
      ...{ evidence: createEvidence(), asked: false, avoidUntil: 0 },
    };
  };

  return {
    arm: armOf,
    arms: () => [...arms.values()],
    setPods(revision, seen) {
      const arm = armOf(revision);
      const before = new Map(arm.pods.map((pod) => [pod.place.name, pod]));
      arm.pods = seen.map((one) => adopt(one, before.get(one.name)));
      const kept = new Set(arm.pods);
      const gone = [...before.values()].filter((pod) => !kept.has(pod));
      for (const pod of gone) pod.client.retire();
      arm.departed = [...arm.departed, ...gone.map((pod) => ({ pod, at: now() }))];
      release(arm, free(arm));
    },
    setReady(revision, name) {
      const arm = arms.get(revision);
      const pod = arm?.pods.find(({ place }) => place.name === name);
      if (arm === undefined || pod === undefined || pod.isReady) return;
      pod.isReady = pod.asked = true;
      release(arm, free(arm));
    },
    keepOnly(revisions) {
      for (const [revision, arm] of arms) {
        if (revisions.has(revision)) continue;
        arm.room.empty();
        if (arm.pods.length === 0 && arm.departed.length === 0) arms.delete(revision);
      }
    },
    freed(arm) {
      release(arm, Math.min(1, free(arm)));
    },
    sweep(time) {
      for (const arm of arms.values()) {
        for (const { client } of arm.pods) client.sweep(time);
        for (const { pod } of arm.departed) pod.client.sweep(time);
        arm.departed = arm.departed.filter(({ at }) => time - at < DEPARTED_MS);
      }
    },
  };
};

const samePlace = (one: PodPlace, other: PodPlace): boolean =>
  one.host === other.host && one.httpPort === other.httpPort && one.grpcPort === other.grpcPort;
