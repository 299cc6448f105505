/** The places on pods: which pod a request may go to, and who may look again when one is free. */
import type { After } from "../event-loop/after.ts";
import type { Arm, Connect, LivePod, Slot, Wish } from "./arm.ts";
import { fewest } from "./balance.ts";
import type { Limits } from "./hold.ts";
import { isDown, mayTry, missed, type Reach, reached } from "./reach.ts";
import { isPinned, type Lane, protocolOf } from "./waiting-room.ts";

export type FleetOptions = {
  limits(): Limits;
  /** Requests under way on one pod, and streams. */
  cap: number;
  maxStreams?: number;
  connect: Connect;
  now(): number;
  after?: After;
};

/** All revisions, and what is common to them. */
export type FleetState = Readonly<Omit<FleetOptions, "maxStreams" | "after">> & {
  readonly maxStreams: number;
  readonly after: After;
  readonly arms: Map<string, Arm>;
  /** Those whose pods will be tried again when it is time. */
  readonly looking: Set<Arm>;
};

/** Between two looks whether pods that took no connection may be tried again. */
const LOOK_MS = 100;

const NONE: ReadonlySet<LivePod> = new Set();

const NO_PROBES: readonly Reach[] = [];

export const pick = (
  { cap, maxStreams, now }: FleetState,
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

export const take = (arm: Arm, pod: LivePod, { isStream, protocol }: Pick<Wish, "protocol" | "isStream">): Slot => {
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

export const onReached = (state: FleetState, slot: Slot): void => {
  const { arm, pod, protocol } = slot;
  if (pod.reach[protocol].failures === 0) return;
  endProbe(slot);
  reached(pod.reach[protocol], arm.reach[protocol]);
  admit(state, arm);
};

export const onMissed = (state: FleetState, slot: Slot): void => {
  const { arm, pod, protocol } = slot;
  endProbe(slot);
  missed(pod.reach[protocol], arm.reach[protocol], () => isDown(arm.pods, protocol), state.now());
  if (pod.asked) pod.isReady = pod.asked = false;
  lookLater(state, arm);
};

export const toStream = (state: FleetState, slot: Slot): boolean => {
  const { arm, isStream, pod } = slot;
  if (isStream) return true;
  if (pod.streams >= state.maxStreams) return false;
  slot.isStream = true;
  pod.streams++;
  pod.outstanding--;
  admit(state, arm);
  return true;
};

export const give = (state: FleetState, slot: Slot): void => {
  const { arm, isStream, pod } = slot;
  endProbe(slot);
  if (isStream) pod.streams--;
  else pod.outstanding--;
  admit(state, arm);
};

/** Who waits may look: for this revision first; then those whose own revision has no pod that is ready. */
export const admit = (state: FleetState, arm: Arm): void => {
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

export const lookLater = (state: FleetState, arm: Arm): void => {
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
