/** The revisions of one ModelDeployment and their pods, as they are now. */
import { after as afterMs } from "../event-loop/after.ts";
import { type Arm, adopt, createArm, type LivePod, type Seen, type Slot, type Wish } from "./arm.ts";
import {
  admit,
  type FleetOptions,
  type FleetState,
  give,
  lookLater,
  onMissed,
  onReached,
  pick,
  take,
  toStream,
} from "./slots.ts";
import { createWaitingRoom } from "./waiting-room.ts";

export type { Arm, LivePod, PodClient, PodPlace, Seen, Slot, Wish } from "./arm.ts";

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
  /** The pod that a request should go to now; undefined where none may be asked. @param random in [0, 1) */
  pick(arm: Arm, wish: Wish, random: number): LivePod | undefined;
  /** A request goes to the pod. */
  take(arm: Arm, pod: LivePod, wish: Pick<Wish, "protocol" | "isStream">): Slot;
  /** The pod has taken its connection. */
  reached(slot: Slot): void;
  /** It has not. */
  missed(slot: Slot): void;
  /** It lives on as a stream, and another request may have its place. False where the pod has no place for one more stream. */
  toStream(slot: Slot): boolean;
  /** It is free again. Called once. */
  give(slot: Slot): void;
  /** Streams that its ready pods take together. */
  streamSlots(arm: Arm): number;
  /** Somebody waits: pods that took no connection are tried again when it is time. */
  lookLater(arm: Arm): void;
  sweep(now: number): void;
};

/** Longer than the 10 s between two readings, several times over. */
const DEPARTED_MS = 120_000;

export const createFleet = ({ after = afterMs, ...options }: FleetOptions): Fleet => {
  const { cap, connect, limits, maxStreams = cap, now } = options;
  const state: FleetState = { limits, cap, connect, now, maxStreams, after, arms: new Map(), looking: new Set() };
  return {
    arm: (revision) => armOf(state, revision),
    arms: () => [...state.arms.values()],
    setPods: (revision, seen) => setPods(state, revision, seen),
    setReady: (revision, pod) => setReady(state, revision, pod),
    keepOnly: (revisions) => keepOnly(state, revisions),
    pick: (arm, wish, random) => pick(state, arm, wish, random),
    take,
    reached: (slot) => onReached(state, slot),
    missed: (slot) => onMissed(state, slot),
    toStream: (slot) => toStream(state, slot),
    give: (slot) => give(state, slot),
    streamSlots: ({ pods }) => maxStreams * pods.filter(({ isReady }) => isReady).length,
    lookLater: (arm) => lookLater(state, arm),
    sweep: (time) => sweep(state, time),
  };
};

const armOf = ({ after, arms, limits, now }: FleetState, revision: string): Arm => {
  const known = arms.get(revision);
  if (known !== undefined) return known;
  const arm = createArm(revision, createWaitingRoom(limits, now, after));
  arms.set(revision, arm);
  return arm;
};

const setPods = (state: FleetState, revision: string, seen: readonly Seen[]): void => {
  const arm = armOf(state, revision);
  const before = new Map(arm.pods.map((pod) => [pod.place.name, pod]));
  arm.pods = seen.map((one) => adopt(one, before.get(one.name), state.connect));
  const kept = new Set(arm.pods);
  const gone = [...before.values()].filter((pod) => !kept.has(pod));
  for (const pod of gone) pod.client.retire();
  arm.departed = [...arm.departed, ...gone.map((pod) => ({ pod, at: state.now() }))];
  admit(state, arm);
};

const setReady = (state: FleetState, revision: string, name: string): void => {
  const arm = state.arms.get(revision);
  const pod = arm?.pods.find(({ place }) => place.name === name);
  if (arm === undefined || pod === undefined || pod.isReady) return;
  pod.isReady = pod.asked = true;
  admit(state, arm);
};

const keepOnly = ({ arms }: FleetState, revisions: ReadonlySet<string>): void => {
  for (const [revision, arm] of arms) {
    if (revisions.has(revision)) continue;
    arm.room.empty();
    if (arm.pods.length === 0 && arm.departed.length === 0) arms.delete(revision);
  }
};

const sweep = ({ arms }: FleetState, time: number): void => {
  for (const arm of arms.values()) {
    for (const { client } of arm.pods) client.sweep(time);
    for (const { pod } of arm.departed) pod.client.sweep(time);
    arm.departed = arm.departed.filter(({ at }) => time - at < DEPARTED_MS);
  }
};
