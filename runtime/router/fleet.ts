/** The revisions of one ModelDeployment and their pods, as they are now. */
import { type After, after as afterMs } from "../event-loop/after.ts";
import { fewest, type Pod } from "./balance.ts";
import { type ArmCounters, createArmCounters, createEvidence, type Evidence } from "./counters.ts";
import { createDemand, type Demand } from "./demand.ts";
import type { Limits } from "./hold.ts";
import type { Events, Message, Protocol, Sent } from "./message.ts";
import { createReaches, isDown, mayTry, missed, type Reach, type Reaches, reached } from "./reach.ts";
import { createWaitingRoom, isPinned, type Lane, protocolOf, type WaitingRoom } from "./waiting-room.ts";

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

export type FleetOptions = {
  limits(): Limits;
  /** Requests under way on one pod, and streams. */
  cap: number;
  maxStreams?: number;
  connect: Connect;
  now(): number;
  after?: After;
};

/** Longer than the 10 s between two readings, several times over. */
const DEPARTED_MS = 120_000;
/** Between two looks whether pods that took no connection may be tried again. */
const LOOK_MS = 100;
const NONE: ReadonlySet<LivePod> = new Set();
const NO_PROBES: readonly Reach[] = [];

/** All revisions, and what is common to them. */
type State = Readonly<Omit<FleetOptions, "maxStreams" | "after">> & {
  readonly maxStreams: number;
  readonly after: After;
  readonly arms: Map<string, Arm>;
  /** Those whose pods will be tried again when it is time. */
  readonly looking: Set<Arm>;
};

export const createFleet = ({ after = afterMs, ...options }: FleetOptions): Fleet => {
  const { cap, connect, limits, maxStreams = cap, now } = options;
  const state: State = { limits, cap, connect, now, maxStreams, after, arms: new Map(), looking: new Set() };
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

const armOf = ({ after, arms, limits, now }: State, revision: string): Arm => {
  const known = arms.get(revision);
  if (known !== undefined) return known;
  const arm = createArm(revision, createWaitingRoom(limits, now, after));
  arms.set(revision, arm);
  return arm;
};

const createArm = (revision: string, room: WaitingRoom): Arm => ({
  revision,
  pods: [],
  room,
  counters: createArmCounters(),
  demand: createDemand(),
  evidence: createEvidence(),
  reach: createReaches(),
  departed: [],
});

const setPods = (state: State, revision: string, seen: readonly Seen[]): void => {
  const arm = armOf(state, revision);
  const before = new Map(arm.pods.map((pod) => [pod.place.name, pod]));
  arm.pods = seen.map((one) => adopt(one, before.get(one.name), state.connect));
  const kept = new Set(arm.pods);
  const gone = [...before.values()].filter((pod) => !kept.has(pod));
  for (const pod of gone) pod.client.retire();
  arm.departed = [...arm.departed, ...gone.map((pod) => ({ pod, at: state.now() }))];
  admit(state, arm);
};

const adopt = (seen: Seen, before: LivePod | undefined, connect: Connect): LivePod => {
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

const setReady = (state: State, revision: string, name: string): void => {
  const arm = state.arms.get(revision);
  const pod = arm?.pods.find(({ place }) => place.name === name);
  if (arm === undefined || pod === undefined || pod.isReady) return;
  pod.isReady = pod.asked = true;
  admit(state, arm);
};

const keepOnly = ({ arms }: State, revisions: ReadonlySet<string>): void => {
  for (const [revision, arm] of arms) {
    if (revisions.has(revision)) continue;
    arm.room.empty();
    if (arm.pods.length === 0 && arm.departed.length === 0) arms.delete(revision);
  }
};

const sweep = ({ arms }: State, time: number): void => {
  for (const arm of arms.values()) {
    for (const { client } of arm.pods) client.sweep(time);
    for (const { pod } of arm.departed) pod.client.sweep(time);
    arm.departed = arm.departed.filter(({ at }) => time - at < DEPARTED_MS);
  }
};

const pick = (
  { cap, maxStreams, now }: State,
  { pods, reach }: Arm,
  { isStream, not, protocol }: Wish,
  random: number,
): LivePod | undefined => {
  const time = now();
  const down = isDown(pods, protocol) ? reach[protocol] : undefined;
  const load = (pod: LivePod): number | undefined => {
    const count = isStream ? pod.streams : pod.outstanding;
    const mayGo = pod.isReady && count < (isStream ? maxStreams : cap) && !not.has(pod);
    return mayGo && mayTry(pod.reach[protocol], down, time) ? count : undefined;
  };
  return fewest(pods, load, random);
};

const take = (arm: Arm, pod: LivePod, { isStream, protocol }: Pick<Wish, "protocol" | "isStream">): Slot => {
  const mine = pod.reach[protocol];
  let probes = NO_PROBES;
  if (mine.failures > 0) probes = isDown(arm.pods, protocol) ? [mine, arm.reach[protocol]] : [mine];
  for (const reach of probes) reach.probing = true;
  if (isStream) pod.streams++;
  else pod.outstanding++;
  return { arm, pod, protocol, isStream, probes };
};

const endProbe = (slot: Slot): void => {
  for (const reach of slot.probes) reach.probing = false;
  slot.probes = NO_PROBES;
};

const onReached = (state: State, slot: Slot): void => {
  const { arm, pod, protocol } = slot;
  if (pod.reach[protocol].failures === 0) return;
  endProbe(slot);
  reached(pod.reach[protocol], arm.reach[protocol]);
  admit(state, arm);
};

const onMissed = (state: State, slot: Slot): void => {
  const { arm, pod, protocol } = slot;
  endProbe(slot);
  missed(pod.reach[protocol], arm.reach[protocol], () => isDown(arm.pods, protocol), state.now());
  if (pod.asked) pod.isReady = pod.asked = false;
  lookLater(state, arm);
};

const toStream = (state: State, slot: Slot): boolean => {
  const { arm, isStream, pod } = slot;
  if (isStream) return true;
  if (pod.streams >= state.maxStreams) return false;
  slot.isStream = true;
  pod.streams++;
  pod.outstanding--;
  admit(state, arm);
  return true;
};

const give = (state: State, slot: Slot): void => {
  const { arm, isStream, pod } = slot;
  endProbe(slot);
  if (isStream) pod.streams--;
  else pod.outstanding--;
  admit(state, arm);
};

/** Who waits may look: for this revision first; then those whose own revision has no pod that is ready. */
const admit = (state: State, arm: Arm): void => {
  const { arms } = state;
  let anybody = false;
  for (const { room } of arms.values()) if (room.size() > 0) anybody = true;
  if (!anybody) return;
  const hasPlace = (lane: Lane): boolean =>
    pick(state, arm, { protocol: protocolOf(lane), isStream: false, not: NONE }, 0) !== undefined;
  if (arm.room.size() > 0) arm.room.release(hasPlace);
  for (const other of arms.values()) {
    if (other === arm || other.room.size() === 0 || other.pods.some(({ isReady }) => isReady)) continue;
    other.room.release((lane) => !isPinned(lane) && hasPlace(lane));
  }
};

const lookLater = (state: State, arm: Arm): void => {
  const { after, arms, looking } = state;
  if (looking.has(arm) || arm.room.size() === 0) return;
  looking.add(arm);
  after(LOOK_MS, () => {
    looking.delete(arm);
    // another revision may help this one out
    for (const one of arms.values()) admit(state, one);
    lookLater(state, arm);
  });
};

const samePlace = (one: PodPlace, other: PodPlace): boolean =>
  one.host === other.host && one.httpPort === other.httpPort && one.grpcPort === other.grpcPort;
