/** What is seen of one ModelDeployment in a look: what its pods say, and what routers have counted. */
import { SILENCE, type Signals } from "../../domain/scaling/signals.ts";
import { withStart } from "../../domain/scaling/start-time.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import type { Entry } from "./entry.ts";
import { countPods, phasesOf, startOf } from "./pods.ts";
import type { Sum } from "./tally.ts";

/** `addresses`: of pods that can be asked what their runs take. */
export type Seen = Signals & { addresses: string[] };

/** Of all of its revisions together, and of each: the one that serves, and after it the one on trial. */
export const seenOf = (
  { subject }: Entry,
  pods: readonly Pod[],
  sums: ReadonlyMap<string, Sum>,
  now: number,
): { all: Seen; each: Seen[] } => {
  const each = subject.revisions.map((revision): Seen => {
    const { addresses, ready, starting } = countPods(pods, revision, now / 1000);
    return { ...SILENCE, ...sums.get(revision), ready, starting, addresses };
  });
  return { each, all: each.reduce(together, { ...SILENCE, addresses: [] }) };
};

const together = (one: Seen, other: Seen): Seen => ({
  arrivals: one.arrivals + other.arrivals,
  crowd: one.crowd + other.crowd,
  waiting: one.waiting + other.waiting,
  inFlight: one.inFlight + other.inFlight,
  ready: one.ready + other.ready,
  starting: [...one.starting, ...other.starting],
  addresses: [...one.addresses, ...other.addresses],
});

/** How long starts take, from pods that were not ready at the last look. */
export const learnStarts = (entry: Entry, pods: readonly Pod[]): void => {
  const present = new Set<string>();
  for (const pod of pods) {
    const { uid = "" } = pod.metadata;
    if (entry.started.has(uid)) present.add(uid);
    const seconds = entry.started.has(uid) ? undefined : startOf(pod);
    if (seconds === undefined) continue;
    present.add(uid);
    entry.memory = { ...entry.memory, starts: withStart(entry.memory.starts, seconds) };
    entry.phases = phasesOf(pod);
  }
  entry.started = present;
};
